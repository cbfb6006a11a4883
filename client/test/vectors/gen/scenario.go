package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	dbm "github.com/cometbft/cometbft-db"
	cmtmath "github.com/cometbft/cometbft/libs/math"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	dbs "github.com/cometbft/cometbft/light/store/db"
	"github.com/cometbft/cometbft/types"
)

type chainOf map[int64]*types.LightBlock

// node is a provider that writes down what it is asked and what it is accused of.
type node struct {
	blocks   chainOf
	requests []int64
	evidence []*types.LightClientAttackEvidence
}

func (n *node) ChainID() string { return chainID }

func (n *node) latest() int64 {
	latest := int64(0)
	for h := range n.blocks {
		if h > latest {
			latest = h
		}
	}
	return latest
}

func (n *node) LightBlock(_ context.Context, height int64) (*types.LightBlock, error) {
	n.requests = append(n.requests, height)
	if height == 0 {
		height = n.latest()
	}
	if height > n.latest() {
		return nil, provider.ErrHeightTooHigh
	}
	if lb, ok := n.blocks[height]; ok {
		return lb, nil
	}
	return nil, provider.ErrLightBlockNotFound
}

func (n *node) ReportEvidence(_ context.Context, ev types.Evidence) error {
	n.evidence = append(n.evidence, ev.(*types.LightClientAttackEvidence))
	return nil
}

type scenario struct {
	name      string
	primary   chainOf
	witnesses []chainOf
	root      int64
	rootHash  []byte
	level     cmtmath.Fraction
	now       time.Time
	// heights to verify; 0 is an update
	steps []int64
}

const scenarioDrift = 2 * time.Millisecond

func (s scenario) run(blocks *table) object {
	if s.level.Denominator == 0 {
		s.level = third
	}
	if s.now.IsZero() {
		s.now = at(1000)
	}
	primary := &node{blocks: s.primary}
	nodes := []*node{primary}
	witnesses := []provider.Provider{}
	for _, blocks := range s.witnesses {
		w := &node{blocks: blocks}
		nodes = append(nodes, w)
		witnesses = append(witnesses, w)
	}
	if s.rootHash == nil {
		s.rootHash = s.primary[s.root].Hash()
	}
	client, err := light.NewClient(context.Background(), chainID,
		light.TrustOptions{Period: period, Height: s.root, Hash: s.rootHash}, primary, witnesses,
		dbs.New(dbm.NewMemDB(), chainID), light.SkippingVerification(s.level),
		light.MaxClockDrift(scenarioDrift), light.MaxBlockLag(scenarioDrift))
	results := []object{outcome(err)}
	for _, height := range s.steps {
		if err != nil {
			break
		}
		var lb *types.LightBlock
		if height == 0 {
			lb, err = client.Update(context.Background(), s.now)
		} else {
			lb, err = client.VerifyLightBlockAtHeight(context.Background(), height, s.now)
		}
		result := outcome(err)
		if err == nil && lb != nil {
			result["hash"] = lb.Hash().String()
		}
		results = append(results, result)
	}
	return s.written(blocks, nodes, results)
}

func (s scenario) written(blocks *table, nodes []*node, results []object) object {
	chains, requests, accused := []any{}, []any{}, []any{}
	for _, n := range nodes {
		heights := []int64{}
		for h := range n.blocks {
			heights = append(heights, h)
		}
		sort.Slice(heights, func(i, j int) bool { return heights[i] < heights[j] })
		list := []int{}
		for _, h := range heights {
			list = append(list, blocks.add(n.blocks[h]))
		}
		chains = append(chains, list)
		asked := any(n.requests)
		if n.requests == nil {
			asked = []int64{}
		}
		// The first witness that shows an attack ends the questions: which of several it is, chance says.
		if len(nodes) > 2 && results[len(results)-1]["verdict"] == "attack" {
			asked = nil
		}
		requests = append(requests, asked)
		for _, ev := range n.evidence {
			accused = append(accused, written(ev))
		}
	}
	steps := s.steps
	if steps == nil {
		steps = []int64{}
	}
	return object{
		"name": s.name, "chains": chains, "root": fmt.Sprint(s.root), "rootHash": fmt.Sprintf("%X", s.rootHash),
		"level":    []string{fmt.Sprint(s.level.Numerator), fmt.Sprint(s.level.Denominator)},
		"periodNs": fmt.Sprint(period.Nanoseconds()), "driftNs": fmt.Sprint(scenarioDrift.Nanoseconds()),
		"nowNs": fmt.Sprint(s.now.UnixNano()), "steps": steps, "results": results, "requests": requests, "evidence": accused,
	}
}

func written(ev *types.LightClientAttackEvidence) object {
	lying := []string{}
	for _, v := range ev.ByzantineValidators {
		lying = append(lying, v.Address.String())
	}
	return object{
		"conflicting": ev.ConflictingBlock.Hash().String(), "commonHeight": fmt.Sprint(ev.CommonHeight),
		"byzantine": lying, "power": fmt.Sprint(ev.TotalVotingPower), "timeNs": fmt.Sprint(ev.Timestamp.UnixNano()),
	}
}

func outcome(err error) object {
	if err == nil {
		return object{"verdict": "ok"}
	}
	var failed light.ErrVerificationFailed
	var conflict light.ErrConflictingHeaders
	switch {
	case errors.As(err, &failed):
		return verdict(failed.Reason)
	case errors.Is(err, light.ErrLightClientAttack), errors.As(err, &conflict):
		return object{"verdict": "attack", "text": err.Error()}
	case errors.Is(err, light.ErrFailedHeaderCrossReferencing), errors.Is(err, light.ErrNoWitnesses):
		return object{"verdict": "no_witness", "text": err.Error()}
	}
	return verdict(err)
}

// window is a set of four validators that moves by one every so many heights.
func window(every int64) func(int64) *types.ValidatorSet {
	sets := map[int64]*types.ValidatorSet{}
	return func(height int64) *types.ValidatorSet {
		from := height / every
		if sets[from] == nil {
			s := set{}
			for i := from; i < from+4; i++ {
				s[fmt.Sprintf("r%03d", i)] = 10 + i%3
			}
			sets[from] = s.validators()
		}
		return sets[from]
	}
}

func constant(s set) func(int64) *types.ValidatorSet {
	vals := s.validators()
	return func(int64) *types.ValidatorSet { return vals }
}

func cut(chain chainOf, to int64) chainOf {
	out := chainOf{}
	for h, lb := range chain {
		if h <= to {
			out[h] = lb
		}
	}
	return out
}

func withBlock(chain chainOf, lb *types.LightBlock) chainOf {
	out := cut(chain, 1<<40)
	out[lb.Height] = lb
	return out
}

// forked is a chain that from a height on has other blocks, signed by the same validators.
func forked(chain chainOf, from, to int64, vals func(int64) *types.ValidatorSet, change func(*types.Header, *spec)) chainOf {
	out := cut(chain, from-1)
	last := chain[from-1].Commit.BlockID
	for h := from; h <= to; h++ {
		s := spec{height: h, vals: vals(h), next: vals(h + 1), last: last}
		header := s.header()
		change(header, &s)
		lb := s.sign(header)
		out[h] = lb
		last = lb.Commit.BlockID
	}
	return out
}

func scenarios(blocks *table) []object {
	out := []object{}
	for _, s := range append(honest(), attacks()...) {
		out = append(out, s.run(blocks))
	}
	return out
}

func honest() []scenario {
	same := constant(base)
	plain := chainOf(linked(1, 40, same))
	slow := chainOf(linked(1, 60, window(5)))
	fast := chainOf(linked(1, 40, window(1)))
	abrupt := chainOf(linked(1, 40, func(h int64) *types.ValidatorSet {
		if h < 23 {
			return even(10, "x00", "x01", "x02").validators()
		}
		return even(10, "y00", "y01", "y02").validators()
	}))
	wrong := copyOf(plain[40])
	wrong.Commit.Signatures[0].Signature = flip(wrong.Commit.Signatures[0].Signature)
	badWitness := withBlock(plain, wrong)
	other := spec{height: 40, vals: even(10, names("w", 0, 4)...).validators(), last: plain[39].Commit.BlockID}.block()
	return []scenario{
		{name: "the same validators", primary: plain, witnesses: []chainOf{plain}, root: 1, steps: []int64{40, 20, 2, 41 - 1}},
		{name: "updates", primary: plain, witnesses: []chainOf{plain, plain}, root: 1, steps: []int64{0, 0, 39}},
		{name: "validators that change slowly", primary: slow, witnesses: []chainOf{slow}, root: 1, steps: []int64{60, 30, 31}},
		{name: "validators that change fast", primary: fast, witnesses: []chainOf{fast}, root: 2, steps: []int64{40, 39, 1}},
		{name: "validators that change at once", primary: abrupt, witnesses: []chainOf{abrupt}, root: 1, steps: []int64{40}},
		{name: "two thirds are asked of the trusted", primary: slow, witnesses: []chainOf{slow}, root: 1,
			level: cmtmath.Fraction{Numerator: 2, Denominator: 3}, steps: []int64{50}},
		{name: "backwards", primary: plain, witnesses: []chainOf{plain}, root: 30, steps: []int64{22, 40, 25, 1}},
		{name: "the root has expired", primary: plain, witnesses: []chainOf{plain}, root: 1, now: at(1).Add(period), steps: []int64{2}},
		{name: "the root has another hash", primary: plain, witnesses: []chainOf{plain}, root: 7, rootHash: plain[8].Hash()},
		{name: "the target has a wrong signature", primary: badWitness, witnesses: []chainOf{plain}, root: 1, steps: []int64{40}},
		{name: "the target is of strangers", primary: withBlock(plain, other), witnesses: []chainOf{plain}, root: 39, steps: []int64{40}},
		{name: "a witness with a wrong signature says the same", primary: plain, witnesses: []chainOf{badWitness, plain}, root: 1,
			steps: []int64{40}},
		{name: "a witness shows a block of strangers", primary: plain, witnesses: []chainOf{withBlock(plain, other), plain}, root: 1,
			steps: []int64{40, 30}},
		{name: "the only witness shows a block of strangers", primary: plain, witnesses: []chainOf{withBlock(plain, other)}, root: 1,
			steps: []int64{40}},
		{name: "a witness is behind", primary: plain, witnesses: []chainOf{cut(plain, 30), plain}, root: 1, steps: []int64{40}},
		{name: "the only witness is behind", primary: plain, witnesses: []chainOf{cut(plain, 30)}, root: 1, steps: []int64{40}},
	}
}

func attacks() []scenario {
	same := constant(base)
	plain := chainOf(linked(1, 40, same))
	slow := chainOf(linked(1, 60, window(5)))
	equivocated := forked(plain, 31, 40, same, func(h *types.Header, _ *spec) { h.DataHash = hashOf("forged", h.Height) })
	lunatic := forked(plain, 31, 40, same, func(h *types.Header, _ *spec) { h.AppHash = hashOf("forged", h.Height) })
	amnesia := forked(plain, 40, 40, same, func(h *types.Header, s *spec) {
		h.DataHash = hashOf("forged", h.Height)
		s.round = 2
	})
	moving := forked(slow, 33, 60, window(5), func(h *types.Header, _ *spec) { h.AppHash = hashOf("forged", h.Height) })
	partly := forked(plain, 31, 40, same, func(h *types.Header, s *spec) {
		h.LastResultsHash = hashOf("forged", h.Height)
		s.absent = map[string]bool{"v02": true}
	})
	future := cut(plain, 40)
	s := spec{height: 70, vals: base.validators(), time: at(35)}
	future[70] = s.block()
	root := forked(plain, 5, 5, same, func(h *types.Header, _ *spec) { h.AppHash = hashOf("forged", h.Height) })
	return []scenario{
		{name: "equivocation", primary: equivocated, witnesses: []chainOf{plain}, root: 1, steps: []int64{40}},
		{name: "equivocation by the witness", primary: plain, witnesses: []chainOf{equivocated}, root: 1, steps: []int64{40}},
		{name: "lunatic", primary: lunatic, witnesses: []chainOf{plain}, root: 1, steps: []int64{40}},
		{name: "lunatic, after a step", primary: lunatic, witnesses: []chainOf{plain}, root: 1, steps: []int64{10, 35}},
		{name: "lunatic, some validators", primary: partly, witnesses: []chainOf{plain}, root: 1, steps: []int64{40}},
		{name: "lunatic, moving validators", primary: moving, witnesses: []chainOf{slow}, root: 1, steps: []int64{60}},
		{name: "lunatic, moving validators, by the witness", primary: slow, witnesses: []chainOf{moving}, root: 1, steps: []int64{60}},
		{name: "amnesia", primary: amnesia, witnesses: []chainOf{plain}, root: 1, steps: []int64{40}},
		{name: "a block from the future", primary: future, witnesses: []chainOf{plain}, root: 1, steps: []int64{70}},
		{name: "a witness has another root", primary: plain, witnesses: []chainOf{root}, root: 5},
		{name: "the second witness shows it", primary: lunatic, witnesses: []chainOf{lunatic, plain}, root: 1, steps: []int64{40}},
	}
}
