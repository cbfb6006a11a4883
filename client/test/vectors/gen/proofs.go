package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sort"

	"cosmossdk.io/log"
	"github.com/cosmos/iavl"
	dbm "github.com/cosmos/iavl/db"
	ics23 "github.com/cosmos/ics23/go"
)

type proofs struct{ list []object }

// add asks the Go module of ICS-23. A value of nil asks for absence.
func (p *proofs) add(name, form string, root []byte, proof *ics23.CommitmentProof, key, value []byte) {
	bz, err := proof.Marshal()
	check(err)
	specs := map[string]*ics23.ProofSpec{"iavl": ics23.IavlSpec, "simple": ics23.TendermintSpec}
	entry := object{
		"name": name, "form": form, "root": hex.EncodeToString(root), "proof": base64.StdEncoding.EncodeToString(bz),
		"key": hex.EncodeToString(key), "valid": answer(specs[form], root, proof, key, value),
	}
	if value != nil {
		entry["value"] = hex.EncodeToString(value)
	}
	p.list = append(p.list, entry)
}

// answer is false where the module panics too: it does for some proofs of absence without a common root.
func answer(spec *ics23.ProofSpec, root []byte, proof *ics23.CommitmentProof, key, value []byte) (valid bool) {
	defer func() {
		if recover() != nil {
			valid = false
		}
	}()
	if value == nil {
		return ics23.VerifyNonMembership(spec, root, proof, key)
	}
	return ics23.VerifyMembership(spec, root, proof, key, value)
}

func treeOf(size int) *iavl.MutableTree {
	tree := iavl.NewMutableTree(dbm.NewMemDB(), 100, false, log.NewNopLogger())
	for i := 0; i < size; i++ {
		_, err := tree.Set([]byte(fmt.Sprintf("key%04d", i*2)), []byte(fmt.Sprintf("value %d", i)))
		check(err)
		if i%7 == 6 {
			_, _, err = tree.SaveVersion()
			check(err)
		}
	}
	_, _, err := tree.SaveVersion()
	check(err)
	return tree
}

func cloneProof(proof *ics23.CommitmentProof) *ics23.CommitmentProof {
	bz, err := proof.Marshal()
	check(err)
	out := &ics23.CommitmentProof{}
	check(out.Unmarshal(bz))
	return out
}

func proofCases() []object {
	p := &proofs{}
	for _, size := range []int{1, 2, 5, 60} {
		tree := treeOf(size)
		root := tree.Hash()
		for i := 0; i < size; i += 1 + size/3 {
			key := []byte(fmt.Sprintf("key%04d", i*2))
			value, err := tree.Get(key)
			check(err)
			proof, err := tree.GetMembershipProof(key)
			check(err)
			p.membership(fmt.Sprintf("key %d of %d", i, size), root, proof, key, value)
		}
		for _, text := range []string{"a", "key0007", "key0099", "z"} {
			if has, _ := tree.Has([]byte(text)); has {
				continue
			}
			proof, err := tree.GetNonMembershipProof([]byte(text))
			check(err)
			p.absence(fmt.Sprintf("absent %s of %d", text, size), root, proof, []byte(text))
		}
	}
	p.gaps()
	p.emptyNeighbours()
	p.forged()
	return p.list
}

func (p *proofs) membership(name string, root []byte, proof *ics23.CommitmentProof, key, value []byte) {
	p.add(name, "iavl", root, proof, key, value)
	p.add(name+": another root", "iavl", flip(root), proof, key, value)
	p.add(name+": another value", "iavl", root, proof, key, flip(value))
	p.add(name+": another key", "iavl", root, proof, flip(key), value)
	p.add(name+": as a simple proof", "simple", root, proof, key, value)
	p.add(name+": asked for absence", "iavl", root, proof, key, nil)
	mutations := existMutations()
	for _, label := range sorted(mutations) {
		change := mutations[label]
		changed := cloneProof(proof)
		if change(changed.GetExist()) {
			p.add(name+": "+label, "iavl", root, changed, key, value)
			if calculated, err := changed.GetExist().Calculate(); err == nil {
				// The tree that such a proof would belong to.
				p.add(name+": "+label+", its own root", "iavl", calculated, changed, changed.GetExist().Key, changed.GetExist().Value)
			}
		}
	}
}

// existMutations damage a proof of a value; false where there is nothing to damage.
func existMutations() map[string]func(e *ics23.ExistenceProof) bool {
	inner := func(change func(op *ics23.InnerOp)) func(e *ics23.ExistenceProof) bool {
		return func(e *ics23.ExistenceProof) bool {
			if len(e.Path) == 0 {
				return false
			}
			change(e.Path[len(e.Path)/2])
			return true
		}
	}
	leaf := func(change func(op *ics23.LeafOp)) func(e *ics23.ExistenceProof) bool {
		return func(e *ics23.ExistenceProof) bool { change(e.Leaf); return true }
	}
	return map[string]func(e *ics23.ExistenceProof) bool{
		"value in it": func(e *ics23.ExistenceProof) bool { e.Value = flip(e.Value); return true },
		"key in it":   func(e *ics23.ExistenceProof) bool { e.Key = flip(e.Key); return true },
		"no leaf":     func(e *ics23.ExistenceProof) bool { e.Leaf = nil; return true },
		"a step less": func(e *ics23.ExistenceProof) bool {
			if len(e.Path) == 0 {
				return false
			}
			e.Path = e.Path[:len(e.Path)-1]
			return true
		},
		"a step more": func(e *ics23.ExistenceProof) bool {
			if len(e.Path) == 0 {
				return false
			}
			e.Path = append(e.Path, e.Path[len(e.Path)-1])
			return true
		},
		"steps swapped": func(e *ics23.ExistenceProof) bool {
			if len(e.Path) < 2 {
				return false
			}
			e.Path[0], e.Path[1] = e.Path[1], e.Path[0]
			return true
		},
		"leaf: hash":          leaf(func(op *ics23.LeafOp) { op.Hash = ics23.HashOp_SHA512 }),
		"leaf: key hashed":    leaf(func(op *ics23.LeafOp) { op.PrehashKey = ics23.HashOp_SHA256 }),
		"leaf: value plain":   leaf(func(op *ics23.LeafOp) { op.PrehashValue = ics23.HashOp_NO_HASH }),
		"leaf: length":        leaf(func(op *ics23.LeafOp) { op.Length = ics23.LengthOp_NO_PREFIX }),
		"leaf: empty prefix":  leaf(func(op *ics23.LeafOp) { op.Prefix = nil }),
		"leaf: longer prefix": leaf(func(op *ics23.LeafOp) { op.Prefix = append(op.Prefix, 1) }),
		"leaf: as inner":      leaf(func(op *ics23.LeafOp) { op.Prefix[0] = 2 }),
		"leaf: version":       leaf(func(op *ics23.LeafOp) { op.Prefix[len(op.Prefix)-1] ^= 2 }),
		"inner: hash":         inner(func(op *ics23.InnerOp) { op.Hash = ics23.HashOp_SHA512_256 }),
		"inner: prefix bit":   inner(func(op *ics23.InnerOp) { op.Prefix[2] ^= 2 }),
		"inner: leaf prefix":  inner(func(op *ics23.InnerOp) { op.Prefix[0] = 0 }),
		"inner: odd height":   inner(func(op *ics23.InnerOp) { op.Prefix[0] = 3 }),
		"inner: no prefix":    inner(func(op *ics23.InnerOp) { op.Prefix = nil }),
		"inner: long prefix":  inner(func(op *ics23.InnerOp) { op.Prefix = append(op.Prefix, make([]byte, 33)...) }),
		"inner: suffix":       inner(func(op *ics23.InnerOp) { op.Suffix = append(op.Suffix, 0) }),
		"inner: two suffixes": inner(func(op *ics23.InnerOp) { op.Suffix = append(op.Suffix, make([]byte, 33)...) }),
		"inner: moved bytes": inner(func(op *ics23.InnerOp) {
			if len(op.Suffix) > 0 {
				op.Prefix, op.Suffix = append(op.Prefix, op.Suffix[:1]...), op.Suffix[1:]
			} else {
				op.Suffix, op.Prefix = op.Prefix[len(op.Prefix)-1:], op.Prefix[:len(op.Prefix)-1]
			}
		}),
	}
}

func (p *proofs) absence(name string, root []byte, proof *ics23.CommitmentProof, key []byte) {
	p.add(name, "iavl", root, proof, key, nil)
	p.add(name+": another root", "iavl", flip(root), proof, key, nil)
	p.add(name+": as a value", "iavl", root, proof, key, []byte("value"))
	p.add(name+": key of the one before", "iavl", root, proof, []byte("key0000"), nil)
	p.add(name+": key far away", "iavl", root, proof, []byte("zzz"), nil)
	p.add(name+": key before all", "iavl", root, proof, []byte{1}, nil)
	left, right := cloneProof(proof), cloneProof(proof)
	left.GetNonexist().Right = nil
	right.GetNonexist().Left = nil
	p.add(name+": without the right", "iavl", root, left, key, nil)
	p.add(name+": without the left", "iavl", root, right, key, nil)
	swapped := cloneProof(proof)
	n := swapped.GetNonexist()
	n.Left, n.Right = n.Right, n.Left
	p.add(name+": swapped", "iavl", root, swapped, key, nil)
	none := cloneProof(proof)
	none.GetNonexist().Left, none.GetNonexist().Right = nil, nil
	p.add(name+": without both", "iavl", root, none, key, nil)
	mutations := existMutations()
	for _, label := range sorted(mutations) {
		change := mutations[label]
		changed := cloneProof(proof)
		side := changed.GetNonexist().Left
		if side == nil {
			side = changed.GetNonexist().Right
		}
		if change(side) {
			p.add(name+": "+label, "iavl", root, changed, key, nil)
		}
	}
}

// gaps says that a key is absent between two that are there but no neighbours.
func (p *proofs) gaps() {
	tree := treeOf(40)
	exist := func(i int) *ics23.ExistenceProof {
		proof, err := tree.GetMembershipProof([]byte(fmt.Sprintf("key%04d", i*2)))
		check(err)
		return proof.GetExist()
	}
	for _, pair := range [][2]int{{3, 4}, {3, 5}, {0, 39}, {7, 8}, {15, 17}, {20, 21}, {21, 20}, {9, 9}, {30, 33}} {
		proof := &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Nonexist{Nonexist: &ics23.NonExistenceProof{
			Left: exist(pair[0]), Right: exist(pair[1])}}}
		for _, key := range []string{fmt.Sprintf("key%04d", pair[0]*2+1), fmt.Sprintf("key%04d", pair[0]*2+2)} {
			p.add(fmt.Sprintf("between %d and %d: %s", pair[0], pair[1], key), "iavl", tree.Hash(), proof, []byte(key), nil)
		}
	}
}

// emptyNeighbours are proofs of absence beside keys without a value, which the specification refuses.
func (p *proofs) emptyNeighbours() {
	tree := iavl.NewMutableTree(dbm.NewMemDB(), 100, false, log.NewNopLogger())
	for _, entry := range [][2]string{{"a", "1"}, {"c", ""}, {"e", "2"}, {"g", ""}, {"i", ""}} {
		_, err := tree.Set([]byte(entry[0]), []byte(entry[1]))
		check(err)
	}
	_, _, err := tree.SaveVersion()
	check(err)
	for _, key := range []string{"b", "d", "f", "h", "j"} {
		proof, err := tree.GetNonMembershipProof([]byte(key))
		check(err)
		p.add("empty neighbour of "+key, "iavl", tree.Hash(), proof, []byte(key), nil)
		p.add("empty neighbour of "+key+": another root", "iavl", flip(tree.Hash()), proof, []byte(key), nil)
		p.add("empty neighbour of "+key+": another key", "iavl", tree.Hash(), proof, []byte("e"), nil)
	}
}

// forged is the attack of 2022: an inner node whose prefix swallows what a real one hashes.
func (p *proofs) forged() {
	tree := treeOf(10)
	proof, err := tree.GetMembershipProof([]byte("key0004"))
	check(err)
	real := proof.GetExist()
	for extra := 1; extra <= 3; extra++ {
		for _, versions := range []int64{0, 1, 1 << 40} {
			prefix := make([]byte, 0, 64)
			for _, n := range []int64{1, 2, versions} {
				prefix = binary.AppendVarint(prefix, n)
			}
			prefix = append(prefix, 32)
			changed := cloneProof(proof).GetExist()
			changed.Path = append(append([]*ics23.InnerOp{}, &ics23.InnerOp{
				Hash: ics23.HashOp_SHA256, Prefix: prefix, Suffix: make([]byte, 33*extra),
			}), real.Path...)
			forged := &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: changed}}
			root, err := changed.Calculate()
			check(err)
			p.add(fmt.Sprintf("forged with %d children, version %d", extra, versions), "iavl", root, forged, changed.Key, changed.Value)
		}
	}
}

func sorted[V any](m map[string]V) []string {
	out := []string{}
	for label := range m {
		out = append(out, label)
	}
	sort.Strings(out)
	return out
}
