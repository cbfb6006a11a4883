package main

import (
	"fmt"

	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/types"
)

// basicCases says of each damaged block whether its parts belong together (LightBlock.ValidateBasic).
func basicCases(blocks *table) []object {
	out := []object{}
	add := func(name string, lb *types.LightBlock) {
		entry := object{"name": name, "block": blocks.add(lb), "valid": true}
		if err := lb.ValidateBasic(chainID); err != nil {
			entry["valid"], entry["text"] = false, err.Error()
		}
		out = append(out, entry)
	}
	for _, height := range []int64{1, 2, 9} {
		add(fmt.Sprintf("valid at %d", height), spec{height: height, vals: base.validators()}.block())
	}
	for _, m := range mutations() {
		lb := copyOf(spec{height: 9, vals: base.validators()}.block())
		m.change(lb)
		add(m.name, lb)
	}
	return out
}

// linked makes headers that follow each other by their hashes.
func linked(from, to int64, vals func(height int64) *types.ValidatorSet) map[int64]*types.LightBlock {
	out := map[int64]*types.LightBlock{}
	var last types.BlockID
	for h := from; h <= to; h++ {
		lb := spec{height: h, vals: vals(h), next: vals(h + 1), last: last}.block()
		out[h] = lb
		last = lb.Commit.BlockID
	}
	return out
}

func backwardsCases(blocks *table) []object {
	vals := base.validators()
	chain := linked(1, 4, func(int64) *types.ValidatorSet { return vals })
	out := []object{}
	add := func(name string, untrusted, trusted *types.LightBlock) {
		entry := verdict(light.VerifyBackwards(untrusted.Header, trusted.Header))
		entry["name"], entry["trusted"], entry["untrusted"] = name, blocks.add(trusted), blocks.add(untrusted)
		out = append(out, entry)
	}
	add("the one before", chain[2], chain[3])
	add("the first", chain[1], chain[2])
	add("two before", chain[1], chain[3])
	add("itself", chain[3], chain[3])
	add("the one after", chain[4], chain[3])
	for _, m := range headerMutations() {
		lb := copyOf(chain[2])
		m.change(lb)
		add(m.name, lb, chain[3])
	}
	return out
}
