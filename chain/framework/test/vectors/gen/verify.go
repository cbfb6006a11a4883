package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	ics23 "github.com/cosmos/ics23/go"
)

// A question of verify, one JSON object a line:
//
//	{"root": hex, "key": hex, "value": hex or null, "proof": base64}
//	    a proof of an IAVL tree against its root
//	{"root": hex, "store": name, "key": hex, "value": hex or null, "ops": [{"type", "key", "data"}, …]}
//	    the two proof operations of abci_query, keys and data in base64, against an app hash
//
// Each is answered by a line {"ok":true} or {"ok":false,"error":text}.
type question struct {
	Root  string  `json:"root"`
	Store string  `json:"store"`
	Key   string  `json:"key"`
	Value *string `json:"value"`
	Proof []byte  `json:"proof"`
	Ops   []struct {
		Type string `json:"type"`
		Key  []byte `json:"key"`
		Data []byte `json:"data"`
	} `json:"ops"`
}

func verify([]string) {
	input := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20))
	output := bufio.NewWriter(os.Stdout)
	for {
		var asked question
		err := input.Decode(&asked)
		if err == io.EOF {
			check(output.Flush())
			return
		}
		check(err)
		answer := object{"ok": true}
		if err := asked.check(); err != nil {
			answer = object{"ok": false, "error": err.Error()}
		}
		text, err := json.Marshal(answer)
		check(err)
		_, err = output.Write(append(text, '\n'))
		check(err)
		check(output.Flush())
	}
}

func (q *question) check() error {
	root, err := hex.DecodeString(q.Root)
	if err != nil {
		return fmt.Errorf("root: %w", err)
	}
	key, err := hex.DecodeString(q.Key)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	var value []byte
	if q.Value != nil {
		if value, err = hex.DecodeString(*q.Value); err != nil {
			return fmt.Errorf("value: %w", err)
		}
	}
	if q.Ops == nil {
		return checkTree(root, key, value, q.Proof)
	}
	return q.checkOps(root, key, value)
}

func checkTree(root, key, value, raw []byte) error {
	proof := &ics23.CommitmentProof{}
	if err := proof.Unmarshal(raw); err != nil {
		return fmt.Errorf("tree proof: %w", err)
	}
	return why(ics23.IavlSpec, root, proof, key, value)
}

// why is ics23's own reason against a proof; nil where it holds.
func why(spec *ics23.ProofSpec, root []byte, proof *ics23.CommitmentProof, key, value []byte) error {
	if verifies(spec, root, proof, key, value) {
		return nil
	}
	if value != nil {
		exist := proof.GetExist()
		if exist == nil {
			return errors.New("not a proof of existence")
		}
		return fmt.Errorf("existence: %w", exist.Verify(spec, root, key, value))
	}
	nonexist := proof.GetNonexist()
	if nonexist == nil {
		return errors.New("not a proof of absence")
	}
	return fmt.Errorf("absence: %w", nonexist.Verify(spec, root, key))
}

func (q *question) checkOps(root, key, value []byte) error {
	if len(q.Ops) != 2 || q.Ops[0].Type != "ics23:iavl" || q.Ops[1].Type != "ics23:simple" {
		return errors.New("the proof is not ics23:iavl and ics23:simple")
	}
	if hex.EncodeToString(q.Ops[0].Key) != q.Key {
		return errors.New("the first operation has another key")
	}
	if string(q.Ops[1].Key) != q.Store {
		return errors.New("the second operation has another store")
	}
	simple := &ics23.CommitmentProof{}
	if err := simple.Unmarshal(q.Ops[1].Data); err != nil {
		return fmt.Errorf("store proof: %w", err)
	}
	exist := simple.GetExist()
	if exist == nil {
		return errors.New("the second operation does not prove that the store exists")
	}
	treeRoot := exist.Value
	if err := why(ics23.TendermintSpec, root, simple, []byte(q.Store), treeRoot); err != nil {
		return fmt.Errorf("store %s: %w", q.Store, err)
	}
	return checkTree(treeRoot, key, value, q.Ops[0].Data)
}
