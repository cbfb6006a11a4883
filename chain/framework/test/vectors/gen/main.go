// Program gen is the Go side of the tests of Mu's state: cosmos/iavl, the SDK's rootmulti store and ics23 themselves,
// so that our tree is measured against the real implementation and not against our reading of it.
//
//	go run . vectors     writes ../iavl.json
//	go run . rootmulti   writes ../rootmulti.json
//	go run . serve       a tree driven by lines on stdin (see serve.go); scripts/differential.ts is the other side
//	go run . verify      checks proofs given as JSON lines on stdin (see verify.go)
//	go run . bench       leaves per second of a commit, as JSON lines (see bench.go for the flags)
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
)

// object is a JSON object; its keys are printed in order.
type object = map[string]any

func main() {
	commands := map[string]func(args []string){
		"vectors":   writeVectors,
		"rootmulti": writeRootmulti,
		"serve":     serve,
		"verify":    verify,
		"bench":     bench,
	}
	if len(os.Args) > 1 {
		if run, known := commands[os.Args[1]]; known {
			run(os.Args[2:])
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: gen vectors | rootmulti | serve | verify | bench")
	os.Exit(2)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func toHex(bytes []byte) string { return hex.EncodeToString(bytes) }

// hexOrNil is null in JSON for a value that is absent, and "" for one that is empty.
func hexOrNil(bytes []byte) any {
	if bytes == nil {
		return nil
	}
	return hex.EncodeToString(bytes)
}

func toBase64(bytes []byte) string { return base64.StdEncoding.EncodeToString(bytes) }

// moduleVersions names what the vectors were made with.
func moduleVersions() object {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		panic("the program does not know its modules")
	}
	versions := object{}
	for _, module := range info.Deps {
		switch module.Path {
		case "github.com/cosmos/iavl", "github.com/cosmos/ics23/go", "cosmossdk.io/store":
			versions[module.Path] = module.Version
		}
	}
	return versions
}

// writeCases writes a file with one case per line, so that a change of one is seen as such.
func writeCases(path string, field string, cases []object) {
	file, err := os.Create(path)
	check(err)
	head, err := json.Marshal(moduleVersions())
	check(err)
	_, err = fmt.Fprintf(file, "{\"modules\":%s,\n\"%s\":[\n", head, field)
	check(err)
	for at, item := range cases {
		line, err := json.Marshal(item)
		check(err)
		comma := ","
		if at == len(cases)-1 {
			comma = ""
		}
		_, err = fmt.Fprintf(file, "%s%s\n", line, comma)
		check(err)
	}
	_, err = fmt.Fprint(file, "]}\n")
	check(err)
	check(file.Close())
}
