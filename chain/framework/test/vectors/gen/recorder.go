package main

import (
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/iavl"
)

// recorder runs operations on a tree and writes down what it answers.
type recorder struct {
	name           string
	initialVersion uint64
	db             dbm.DB
	tree           *iavl.MutableTree
	versions       []object
	// of the version under way
	ops       []any
	discarded []any
	reloaded  bool
}

// detail is what is written down of a version beside its root.
type detail struct {
	shape bool
	// proofs of about so many present keys and of absent ones beside them
	proofs int
}

func record(name string, initialVersion uint64) *recorder {
	db := dbm.NewMemDB()
	return &recorder{
		name: name, initialVersion: initialVersion, db: db,
		tree: newTree(db, initialVersion, false), ops: []any{},
	}
}

// set and remove write down the operation and whether the key was there.
func (r *recorder) set(key, value []byte) {
	updated, err := r.tree.Set(key, value)
	check(err)
	r.ops = append(r.ops, []any{"set", toHex(key), toHex(value), updated})
}

func (r *recorder) remove(key []byte) {
	_, removed, err := r.tree.Remove(key)
	check(err)
	r.ops = append(r.ops, []any{"remove", toHex(key), removed})
}

// rollback drops what was done since the last version; it is written down all the same.
func (r *recorder) rollback() {
	r.tree.Rollback()
	r.discarded = append(r.discarded, r.ops...)
	r.ops = []any{}
}

// reload opens the tree anew, as after a restart. Only between versions.
func (r *recorder) reload() {
	if len(r.ops) > 0 {
		panic("operations would be lost")
	}
	r.tree = newTree(r.db, r.initialVersion, false)
	r.reloaded = true
}

func (r *recorder) save(wanted detail) {
	working := r.tree.WorkingHash()
	root, version, err := r.tree.SaveVersion()
	check(err)
	if toHex(working) != toHex(root) {
		panic("working hash and root differ")
	}
	saved, err := r.tree.GetImmutable(version)
	check(err)
	entry := object{
		"version": version, "ops": r.ops, "root": toHex(root), "size": saved.Size(), "height": saved.Height(),
	}
	if r.discarded != nil {
		entry["discarded"] = r.discarded
	}
	if r.reloaded {
		entry["reloaded"] = true
	}
	if wanted.shape {
		entry["shape"] = shape(saved)
	}
	if wanted.proofs > 0 && saved.Size() > 0 {
		proofs := []object{}
		for _, key := range keysToProve(saved, wanted.proofs) {
			proofs = append(proofs, proofOf(saved, key))
		}
		entry["proofs"] = proofs
	}
	r.versions = append(r.versions, entry)
	r.ops, r.discarded, r.reloaded = []any{}, nil, false
}

func (r *recorder) result() object {
	return object{"name": r.name, "initialVersion": r.initialVersion, "versions": r.versions}
}
