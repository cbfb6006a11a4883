// Program gen prints what CometBFT's light package and the Go module of ICS-23 say of many headers and proofs, valid and
// damaged ones, so that our light client is measured against them and not against our reading of them.
//
//	go run . > ../light.json
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	"github.com/cometbft/cometbft/types"
)

type object = map[string]any

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// table holds each light block once; cases name them by their place.
type table struct {
	index map[string]int
	list  []string
}

func (t *table) add(lb *types.LightBlock) int {
	pb, err := lb.ToProto()
	check(err)
	bz, err := pb.Marshal()
	check(err)
	text := base64.StdEncoding.EncodeToString(bz)
	if at, ok := t.index[text]; ok {
		return at
	}
	t.index[text] = len(t.list)
	t.list = append(t.list, text)
	return len(t.list) - 1
}

func main() {
	blocks := &table{index: map[string]int{}}
	out := object{
		"modules": object{
			"github.com/cometbft/cometbft": "v0.38.26",
			"github.com/cosmos/iavl":       "v1.2.6",
			"github.com/cosmos/ics23/go":   "v0.11.0",
		},
		"chainId":   chainID,
		"verify":    verifyCases(blocks),
		"backwards": backwardsCases(blocks),
		"basic":     basicCases(blocks),
		"scenarios": scenarios(blocks),
		"proofs":    proofCases(),
	}
	out["blocks"] = blocks.list
	bz, err := json.Marshal(out)
	check(err)
	_, err = fmt.Fprintln(os.Stdout, string(bz))
	check(err)
}
