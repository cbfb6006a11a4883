package main

import (
	"context"
	"time"

	upgradetypes "cosmossdk.io/x/upgrade/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
)

func blockOf(bytes, gas int64) *cmtproto.BlockParams {
	return &cmtproto.BlockParams{MaxBytes: bytes, MaxGas: gas}
}

func evidenceOf(blocks int64, age time.Duration, bytes int64) *cmtproto.EvidenceParams {
	return &cmtproto.EvidenceParams{MaxAgeNumBlocks: blocks, MaxAgeDuration: age, MaxBytes: bytes}
}

func keysOf(types ...string) *cmtproto.ValidatorParams {
	return &cmtproto.ValidatorParams{PubKeyTypes: types}
}

func hours(n int64) time.Duration { return time.Duration(n) * time.Hour }

func extensions(height int64) *cmtproto.ABCIParams {
	return &cmtproto.ABCIParams{VoteExtensionsEnableHeight: height}
}

func raiseBank(_ context.Context, _ upgradetypes.Plan, from module.VersionMap) (module.VersionMap, error) {
	from["bank"]++
	return from, nil
}

type change func(m *consensustypes.MsgUpdateParams)

func consensusSteps(w *world) {
	update := func(name string, height int64, changes ...change) {
		m := &consensustypes.MsgUpdateParams{
			Authority: authority, Block: blockOf(4_000_000, 900_000_000),
			Evidence: evidenceOf(200_000, hours(72), 500_000), Validator: keysOf("ed25519", "secp256k1"),
		}
		for _, change := range changes {
			change(m)
		}
		w.message("update-params", name, height, m)
	}
	block := func(bytes, gas int64) change {
		return func(m *consensustypes.MsgUpdateParams) { m.Block = blockOf(bytes, gas) }
	}
	evidence := func(blocks int64, age time.Duration, bytes int64) change {
		return func(m *consensustypes.MsgUpdateParams) { m.Evidence = evidenceOf(blocks, age, bytes) }
	}
	keys := func(types ...string) change {
		return func(m *consensustypes.MsgUpdateParams) { m.Validator = keysOf(types...) }
	}
	abci := func(height int64) change {
		return func(m *consensustypes.MsgUpdateParams) { m.Abci = extensions(height) }
	}
	update("without a section for extensions", 5)
	update("no limits", 5, block(-1, -1), abci(0))
	update("a duration with a fraction", 6, evidence(7, 1500*time.Millisecond, 1))
	update("by somebody else", 6, func(m *consensustypes.MsgUpdateParams) { m.Authority = "cosmos1else" })
	update("without block", 6, func(m *consensustypes.MsgUpdateParams) { m.Block = nil })
	update("without evidence", 6, func(m *consensustypes.MsgUpdateParams) { m.Evidence = nil })
	update("without validator", 6, func(m *consensustypes.MsgUpdateParams) { m.Validator = nil })
	update("no bytes", 6, block(0, -1))
	update("bytes below -1", 6, block(-2, -1))
	update("more bytes than CometBFT knows", 6, block(104_857_601, -1))
	update("gas below -1", 6, block(4_000_000, -2))
	update("evidence of no blocks", 6, evidence(0, hours(1), 1))
	update("evidence of no time", 6, evidence(1, 0, 1))
	update("evidence beyond the block", 6, evidence(1, hours(1), 4_000_001))
	update("evidence below 0", 6, evidence(1, hours(1), -1))
	update("no key types", 6, keys())
	update("an unknown key type", 6, keys("ed25519", "sr25519"))
	update("extensions below 0", 6, abci(-1))
	update("extensions from this block", 6, abci(6))
	update("extensions later", 6, abci(20))
	update("extensions even later", 7, abci(30))
	update("extensions off again before they began", 8, abci(0))
	update("extensions on", 9, abci(10))
	update("extensions moved after they began", 10, abci(20))
	update("extensions off after they began", 11, abci(0))
	update("extensions as they are", 11, abci(10))
	update("extensions not mentioned", 11)
}

func upgradeSteps(w *world) {
	plan := func(name string, height int64, info string) upgradetypes.Plan {
		return upgradetypes.Plan{Name: name, Height: height, Info: info}
	}
	schedule := func(name string, at int64, p upgradetypes.Plan) {
		w.message("software-upgrade", name, at, &upgradetypes.MsgSoftwareUpgrade{Authority: authority, Plan: p})
	}
	cancel := func(name string, at int64) {
		w.message("cancel-upgrade", name, at, &upgradetypes.MsgCancelUpgrade{Authority: authority})
	}
	w.message("software-upgrade", "planned by somebody else", 12,
		&upgradetypes.MsgSoftwareUpgrade{Authority: "cosmos1else", Plan: plan("v2", 20, "")})
	w.message("cancel-upgrade", "cancelled by somebody else", 12, &upgradetypes.MsgCancelUpgrade{Authority: "cosmos1else"})
	schedule("no name", 12, plan("", 20, ""))
	schedule("no height", 12, plan("v2", 0, ""))
	timed := plan("v2", 20, "")
	timed.Time = time.Unix(1_800_000_000, 0).UTC()
	schedule("with a time", 12, timed)
	client := plan("v2", 20, "")
	client.UpgradedClientState = &codectypes.Any{TypeUrl: "/ibc.Client", Value: []byte{1}}
	schedule("with a client", 12, client)
	schedule("in the past", 12, plan("v2", 11, ""))
	w.preBlock("no plan", 12, nil)
	schedule("first", 12, plan("v2", 20, `{"binaries":{}}`))
	schedule("replaced", 13, plan("v2-b", 21, ""))
	w.preBlock("not due", 14, nil)
	w.preBlock("not due and known", 14, []string{"v2-b"})
	cancel("cancelled", 14)
	cancel("nothing to cancel", 15)
	schedule("again", 15, plan("v2", 20, "see https://mu/v2"))
	w.preBlock("due and unknown", 20, nil)
	w.preBlock("due and known", 20, []string{"v2"})
	w.preBlock("after it", 21, []string{"v2"})
	w.preBlock("after it, by the old program", 21, nil)
	schedule("done already", 22, plan("v2", 30, ""))
	schedule("this very block", 22, plan("v3", 22, ""))
	w.preBlock("overdue and unknown", 23, []string{"v2"})
	w.preBlock("overdue and known", 23, []string{"v2", "v3"})
	schedule("to be skipped", 24, plan("v4", 30, "not this one"))
	w.preBlock("skipped", 30, []string{"v2", "v3"}, 30)
	w.preBlock("skipped by the old program", 31, []string{"v2"}, 31)
	schedule("after a skip", 31, plan("v4", 40, ""))
	w.preBlock("known and not due", 32, []string{"v3", "v4"})
	w.preBlock("third", 40, []string{"v3", "v4"})
}
