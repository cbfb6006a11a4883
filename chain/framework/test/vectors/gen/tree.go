package main

import (
	"bytes"

	"cosmossdk.io/log"
	"cosmossdk.io/store/wrapper"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/iavl"
	ics23 "github.com/cosmos/ics23/go"
)

// newTree opens the tree of a database at its last version, as the SDK's iavl store does.
func newTree(db dbm.DB, initialVersion uint64, skipFast bool) *iavl.MutableTree {
	tree := iavl.NewMutableTree(wrapper.NewDBWrapper(db), 100_000, skipFast, log.NewNopLogger(),
		iavl.InitialVersionOption(initialVersion))
	_, err := tree.LoadVersion(0)
	check(err)
	return tree
}

// shape lists the nodes in the order of the exporter: [key, value or null, version, height].
func shape(tree *iavl.ImmutableTree) []any {
	nodes := []any{}
	if tree.Size() == 0 {
		return nodes
	}
	exporter, err := tree.Export()
	check(err)
	defer exporter.Close()
	for {
		node, err := exporter.Next()
		if err == iavl.ErrorExportDone {
			return nodes
		}
		check(err)
		nodes = append(nodes, []any{toHex(node.Key), hexOrNil(node.Value), node.Version, node.Height})
	}
}

// proofOf proves that a key has its value, or that it is absent, and says whether ics23 itself accepts the proof.
func proofOf(tree *iavl.ImmutableTree, key []byte) object {
	proof, err := tree.GetProof(key)
	check(err)
	raw, err := proof.Marshal()
	check(err)
	value, err := tree.Get(key)
	check(err)
	return object{
		"key":      toHex(key),
		"value":    hexOrNil(value),
		"proof":    toBase64(raw),
		"verifies": verifies(ics23.IavlSpec, tree.Hash(), proof, key, value),
	}
}

// verifies checks a proof of a value, or of its absence where it is nil.
func verifies(spec *ics23.ProofSpec, root []byte, proof *ics23.CommitmentProof, key, value []byte) bool {
	if value == nil {
		return ics23.VerifyNonMembership(spec, root, proof, key)
	}
	return ics23.VerifyMembership(spec, root, proof, key, value)
}

// keysToProve chooses at most about `most` present keys, the first and the last among them, and absent ones before all,
// beside the chosen ones, and after all.
func keysToProve(tree *iavl.ImmutableTree, most int) [][]byte {
	size := int(tree.Size())
	step := 1
	if size > most {
		step = size / most
	}
	chosen := [][]byte{}
	for at := 0; at < size; at += step {
		key, _, err := tree.GetByIndex(int64(at))
		check(err)
		chosen = append(chosen, key)
	}
	last, _, err := tree.GetByIndex(int64(size - 1))
	check(err)
	if !bytes.Equal(chosen[len(chosen)-1], last) {
		chosen = append(chosen, last)
	}
	keys := [][]byte{}
	if before := []byte{0}; bytes.Compare(before, chosen[0]) < 0 {
		keys = append(keys, before)
	}
	for _, key := range chosen {
		keys = append(keys, key)
		behind := append(append([]byte{}, key...), 0)
		if present, err := tree.Has(behind); err == nil && !present {
			keys = append(keys, behind)
		}
	}
	return append(keys, append(append([]byte{}, last...), 0xff, 0xff))
}
