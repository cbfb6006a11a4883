// Program gen prints test vectors computed by CometBFT itself, so that the embedded engine is measured against the
// real implementation and not against our reading of it.
//
//	go run . > ../cometbft.json
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtquery "github.com/cometbft/cometbft/libs/pubsub/query"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	sm "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/types"
)

type object = map[string]any

func check(err error) {
	if err != nil {
		panic(err)
	}
}

type marshaler interface{ Marshal() ([]byte, error) }

func proto(m marshaler) string {
	bz, err := m.Marshal()
	check(err)
	return hex.EncodeToString(bz)
}

func pattern(length int, factor byte) []byte {
	out := make([]byte, length)
	for i := range out {
		out[i] = byte(i) * factor
	}
	return out
}

func h32(fill byte) []byte {
	out := make([]byte, 32)
	for i := range out {
		out[i] = fill
	}
	return out
}

func key(name string) ed25519.PrivKey { return ed25519.GenPrivKeyFromSecret([]byte(name)) }

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	check(err)
	return t
}

const chainID = "mu-test-1"

func sampleBlockID(fill byte) types.BlockID {
	return types.BlockID{Hash: h32(fill), PartSetHeader: types.PartSetHeader{Total: 3, Hash: h32(fill + 1)}}
}

func sampleResults() []*abci.ExecTxResult {
	return []*abci.ExecTxResult{
		{Code: 0, Data: []byte{1, 2, 3}, Log: "fine <&>", GasWanted: 200000, GasUsed: 61234, Events: []abci.Event{
			{Type: "transfer", Attributes: []abci.EventAttribute{
				{Key: "recipient", Value: "mu1abc", Index: true},
				{Key: "amount", Value: "", Index: false},
			}},
			{Type: "bare"},
		}},
		{Code: 11, Codespace: "sdk", Log: "out of gas", Info: "info", GasWanted: 1},
	}
}

func sampleFinalize() abci.ResponseFinalizeBlock {
	return abci.ResponseFinalizeBlock{
		Events:    []abci.Event{{Type: "coinbase", Attributes: []abci.EventAttribute{{Key: "minter", Value: "mu1x", Index: true}}}},
		TxResults: sampleResults(),
		ValidatorUpdates: []abci.ValidatorUpdate{
			abci.UpdateValidator(key("b").PubKey().Bytes(), 7, ""),
		},
		ConsensusParamUpdates: func() *cmtproto.ConsensusParams {
			p := types.DefaultConsensusParams().ToProto()
			return &p
		}(),
		AppHash: h32(9),
	}
}

func sampleCommit() *types.Commit {
	commit := &types.Commit{Height: 41, Round: 0, BlockID: sampleBlockID(0x30)}
	stamp := at("2026-03-01T10:20:30.123456789Z")
	vote := &cmtproto.Vote{
		Type: cmtproto.PrecommitType, Height: 41, BlockID: commit.BlockID.ToProto(), Timestamp: stamp,
	}
	signature, err := key("a").Sign(types.VoteSignBytes(chainID, vote))
	check(err)
	commit.Signatures = []types.CommitSig{
		{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: key("a").PubKey().Address(), Timestamp: stamp, Signature: signature},
		types.NewCommitSigAbsent(),
	}
	return commit
}

func sampleHeader() types.Header {
	h := types.Header{
		ChainID: chainID, Height: 42, Time: at("2026-03-01T10:20:31.5Z"), LastBlockID: sampleBlockID(0x30),
		LastCommitHash: sampleCommit().Hash(), DataHash: h32(1), ValidatorsHash: h32(2), NextValidatorsHash: h32(3),
		ConsensusHash: h32(4), AppHash: h32(5), LastResultsHash: h32(6), EvidenceHash: types.EvidenceList{}.Hash(),
		ProposerAddress: key("a").PubKey().Address(),
	}
	h.Version.Block = 11
	h.Version.App = 2
	return h
}

// A block as the block store returns it: made from its own protobuf.
func stored(b *types.Block) *types.Block {
	pb, err := b.ToProto()
	check(err)
	bz, err := pb.Marshal()
	check(err)
	again := new(cmtproto.Block)
	check(again.Unmarshal(bz))
	block, err := types.BlockFromProto(again)
	check(err)
	return block
}

func sampleBlock() *types.Block {
	block := types.MakeBlock(42, []types.Tx{pattern(100, 3), pattern(5, 7)}, sampleCommit(), nil)
	header := sampleHeader()
	header.DataHash = block.DataHash
	header.LastCommitHash = block.LastCommitHash
	header.EvidenceHash = block.EvidenceHash
	block.Header = header
	return stored(block)
}

func firstBlock() *types.Block {
	block := types.MakeBlock(1, nil, &types.Commit{}, nil)
	header := sampleHeader()
	header.Height = 1
	header.LastBlockID = types.BlockID{}
	header.Version.App = 0
	header.DataHash = block.DataHash
	header.LastCommitHash = block.LastCommitHash
	header.EvidenceHash = block.EvidenceHash
	header.AppHash = nil
	block.Header = header
	return stored(block)
}

func hashes() object {
	out := object{}
	var headers []object
	for _, block := range []*types.Block{sampleBlock(), firstBlock()} {
		headers = append(headers, object{"header": proto(block.Header.ToProto()), "hash": block.Header.Hash().String()})
	}
	out["headers"] = headers
	out["emptyEvidence"] = types.EvidenceList{}.Hash()
	commit := sampleCommit()
	out["commit"] = object{
		"chainId": chainID, "seed": hex.EncodeToString(key("a").Bytes()[:32]), "commit": proto(commit.ToProto()),
		"hash": commit.Hash().String(), "signBytes": hex.EncodeToString(commit.VoteSignBytes(chainID, 0)),
		"signature": hex.EncodeToString(commit.Signatures[0].Signature), "address": key("a").PubKey().Address().String(),
	}
	out["emptyCommitHash"] = (&types.Commit{}).Hash().String()
	var parts []object
	for _, length := range []int{1, 65536, 65537, 300000} {
		set := types.NewPartSetFromData(pattern(length, 5), types.BlockPartSizeBytes)
		parts = append(parts, object{"length": length, "total": set.Header().Total, "hash": set.Header().Hash.String()})
	}
	out["partSets"] = parts
	var blocks []object
	for _, block := range []*types.Block{sampleBlock(), firstBlock()} {
		pb, err := block.ToProto()
		check(err)
		set, err := block.MakePartSet(types.BlockPartSizeBytes)
		check(err)
		blocks = append(blocks, object{"block": proto(pb), "total": set.Header().Total, "hash": set.Header().Hash.String()})
	}
	out["blocks"] = blocks
	var params []object
	for _, p := range [][2]int64{{22020096, -1}, {2097152, 40000000}, {-1, 0}} {
		c := types.DefaultConsensusParams()
		c.Block.MaxBytes, c.Block.MaxGas = p[0], p[1]
		params = append(params, object{"maxBytes": fmt.Sprint(p[0]), "maxGas": fmt.Sprint(p[1]), "hash": hex.EncodeToString(c.Hash())})
	}
	out["params"] = params
	finalize := sampleFinalize()
	out["results"] = object{"response": proto(&finalize), "hash": hex.EncodeToString(sm.TxResultsHash(finalize.TxResults)),
		"empty": hex.EncodeToString(sm.TxResultsHash(nil))}
	txs := types.Txs{pattern(100, 3), pattern(5, 7), pattern(1, 1)}
	out["data"] = object{"txs": []string{hex.EncodeToString(txs[0]), hex.EncodeToString(txs[1]), hex.EncodeToString(txs[2])},
		"hash": hex.EncodeToString(txs.Hash()), "empty": hex.EncodeToString(types.Txs{}.Hash())}
	var limits []object
	for _, max := range []int64{1048576, 22020096} {
		for _, count := range []int{1, 4} {
			limits = append(limits, object{"maxBytes": max, "validators": count, "data": types.MaxDataBytes(max, 0, count)})
		}
	}
	out["maxDataBytes"] = limits
	return out
}

type change struct {
	Name  string `json:"name"`
	Power int64  `json:"power"`
}

func validatorSets() []object {
	describe := func(set *types.ValidatorSet) object {
		var list []object
		for _, v := range set.Validators {
			list = append(list, object{"address": v.Address.String(), "power": fmt.Sprint(v.VotingPower), "priority": fmt.Sprint(v.ProposerPriority)})
		}
		return object{"validators": list, "proposer": set.GetProposer().Address.String(), "hash": hex.EncodeToString(set.Hash())}
	}
	list := func(changes []change) []*types.Validator {
		var vals []*types.Validator
		for _, c := range changes {
			vals = append(vals, types.NewValidator(key(c.Name).PubKey(), c.Power))
		}
		return vals
	}
	rounds := [][]change{
		{{"a", 10}},
		nil,
		{{"b", 7}, {"c", 7}},
		nil,
		{{"a", 1000}, {"d", 3}},
		{{"b", 0}},
		nil,
	}
	var out []object
	set := types.NewValidatorSet(list(rounds[0]))
	for i, changes := range rounds {
		if i > 0 {
			if len(changes) > 0 {
				check(set.UpdateWithChangeSet(list(changes)))
			}
			set.IncrementProposerPriority(1)
		}
		var named []object
		for _, c := range changes {
			named = append(named, object{"pubKey": hex.EncodeToString(key(c.Name).PubKey().Bytes()), "power": fmt.Sprint(c.Power)})
		}
		out = append(out, object{"changes": named, "after": describe(set)})
	}
	return out
}

func queries() []object {
	events := map[string][]string{
		"tm.event": {"Tx"}, "tx.height": {"5"}, "tx.hash": {"ABCD"}, "transfer.amount": {"8umu", "12umu"},
		"transfer.recipient": {"mu1abc"}, "a.time": {"2026-03-01T10:20:30Z"}, "a.date": {"2026-03-01"}, "x.big": {"36893488147419103232"},
	}
	texts := []string{
		"tm.event='Tx'", "tm.event = 'Tx' AND tx.height = 5", "tx.height > 5", "tx.height >= 5 AND tx.height<=5", "tx.height<5.5",
		"transfer.amount = 8", "transfer.amount > 11 AND transfer.recipient CONTAINS 'abc'", "transfer.recipient EXISTS",
		"transfer EXISTS", "nothing EXISTS", "transfer.recipient='other'", "a.time >= TIME 2026-03-01T10:20:29Z",
		"a.date = DATE 2026-03-01", "a.date < DATE 2026-03-01", "x.big = 36893488147419103232", "x.big > 36893488147419103231",
		"tx.hash='ABCD' AND tm.event='NewBlock'", "", "tm.event", "tm.event=", "tm.event='Tx", "tm.event='Tx' OR a.b=1", "tm.event='Tx' AND",
		"a.b CONTAINS 5", "a.b < 'x'", "5", "=5", "tm.event == 'Tx'", "a.time = TIME 2026", "a.date = DATE 20-1-1", "tm.event='Tx' tx.height=5",
		"tx.height = -5", "tm.event=\"Tx\"",
	}
	var out []object
	for _, text := range texts {
		entry := object{"query": text}
		if q, err := cmtquery.New(text); err != nil {
			entry["error"] = err.Error()
		} else {
			matches, err := q.Matches(events)
			check(err)
			entry["matches"] = matches
			entry["canonical"] = q.String()
		}
		out = append(out, entry)
	}
	return []object{{"events": events, "queries": out}}
}

func main() {
	out := object{"hashes": hashes(), "validatorSets": validatorSets(), "queries": queries(), "shapes": shapes()}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	check(encoder.Encode(out))
}
