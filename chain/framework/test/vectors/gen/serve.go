package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/iavl"
)

// server keeps a tree in a temporary folder and obeys lines of words; keys and values are in hex, versions decimal.
//
//	s KEY VALUE     set; no answer
//	d KEY           remove; no answer
//	c               save a version     → {"version","root","size","height","existed"}: of how many keys set or removed
//	                                     since the last version the tree said that they were there
//	r               drop what was done since the last version; no answer
//	l               open the tree anew → {"version","root"}
//	o VERSION       go back to a version for good → {"version","root"}
//	p VERSION       drop the versions up to this one → {"first"}
//	q VERSION KEY   → {"value": hex or null, "proof": base64 or null where the tree is empty}
//	x VERSION       → {"nodes","digest"}: SHA-256 over the exporter's nodes (see digestOf)
type server struct {
	db      dbm.DB
	tree    *iavl.MutableTree
	existed int
}

func serve([]string) {
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	output := bufio.NewWriterSize(os.Stdout, 1<<16)
	// Not cosmos-db's MemDB: going back to a version iterates and writes at once, which locks it up for ever.
	dir, err := os.MkdirTemp("", "iavl-serve-")
	check(err)
	defer os.RemoveAll(dir)
	db, err := dbm.NewGoLevelDB("tree", dir, nil)
	check(err)
	s := &server{db: db}
	s.open()
	for {
		line, err := input.ReadBytes('\n')
		if err == io.EOF {
			check(output.Flush())
			check(db.Close())
			return
		}
		check(err)
		if answer := s.obey(bytes.Fields(line)); answer != nil {
			text, err := json.Marshal(answer)
			check(err)
			_, err = output.Write(append(text, '\n'))
			check(err)
			check(output.Flush())
		}
	}
}

func (s *server) open() {
	s.tree = newTree(s.db, 1, true)
	s.existed = 0
}

func (s *server) obey(words [][]byte) object {
	switch string(words[0]) {
	case "s":
		value := []byte{}
		if len(words) > 2 {
			value = fromHex(words[2])
		}
		updated, err := s.tree.Set(fromHex(words[1]), value)
		check(err)
		s.count(updated)
	case "d":
		_, removed, err := s.tree.Remove(fromHex(words[1]))
		check(err)
		s.count(removed)
	case "r":
		s.tree.Rollback()
		s.existed = 0
	case "c":
		return s.save()
	case "l":
		s.open()
		return object{"version": s.tree.Version(), "root": toHex(s.tree.Hash())}
	case "o":
		check(s.tree.LoadVersionForOverwriting(versionOf(words[1])))
		s.existed = 0
		return object{"version": s.tree.Version(), "root": toHex(s.tree.Hash())}
	case "p":
		check(s.tree.DeleteVersionsTo(versionOf(words[1])))
		return object{"first": s.tree.AvailableVersions()[0]}
	case "q":
		return prove(s.at(words[1]), fromHex(words[2]))
	case "x":
		return digestOf(s.at(words[1]))
	default:
		panic(fmt.Sprintf("unknown command %q", words[0]))
	}
	return nil
}

func (s *server) count(existed bool) {
	if existed {
		s.existed++
	}
}

func (s *server) save() object {
	root, version, err := s.tree.SaveVersion()
	check(err)
	answer := object{
		"version": version, "root": toHex(root), "size": s.tree.Size(), "height": s.tree.Height(), "existed": s.existed,
	}
	s.existed = 0
	return answer
}

func (s *server) at(word []byte) *iavl.ImmutableTree {
	tree, err := s.tree.GetImmutable(versionOf(word))
	check(err)
	return tree
}

func prove(tree *iavl.ImmutableTree, key []byte) object {
	if tree.Size() == 0 {
		return object{"value": nil, "proof": nil}
	}
	value, err := tree.Get(key)
	check(err)
	proof, err := tree.GetProof(key)
	check(err)
	raw, err := proof.Marshal()
	check(err)
	return object{"value": hexOrNil(value), "proof": toBase64(raw)}
}

// digestOf hashes a line "KEY VALUE VERSION HEIGHT\n" for each node in the exporter's order; an inner node's value is "-".
func digestOf(tree *iavl.ImmutableTree) object {
	digest := sha256.New()
	count := 0
	if tree.Size() > 0 {
		exporter, err := tree.Export()
		check(err)
		defer exporter.Close()
		for {
			node, err := exporter.Next()
			if err == iavl.ErrorExportDone {
				break
			}
			check(err)
			value := "-"
			if node.Height == 0 {
				value = toHex(node.Value)
			}
			fmt.Fprintf(digest, "%x %s %d %d\n", node.Key, value, node.Version, node.Height)
			count++
		}
	}
	return object{"nodes": count, "digest": toHex(digest.Sum(nil))}
}

func fromHex(word []byte) []byte {
	out := make([]byte, hex.DecodedLen(len(word)))
	_, err := hex.Decode(out, word)
	check(err)
	return out
}

func versionOf(word []byte) int64 {
	version, err := strconv.ParseInt(string(word), 10, 64)
	check(err)
	return version
}
