package main

import (
	"encoding/hex"
	"encoding/json"
	"reflect"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"
)

// The text a client receives for a result: the pointer and the second marshalling are those of the JSON-RPC server.
func reply(result any) string {
	pointer := reflect.New(reflect.TypeOf(result))
	pointer.Elem().Set(reflect.ValueOf(result))
	bz, err := json.Marshal(rpctypes.NewRPCSuccessResponse(rpctypes.JSONRPCIntID(1), pointer.Interface()))
	check(err)
	return string(bz)
}

func plain(value any) string {
	bz, err := cmtjson.Marshal(value)
	check(err)
	return string(bz)
}

func event(query string, data types.TMEventData, events map[string][]string) string {
	bz, err := json.Marshal(rpctypes.NewRPCSuccessResponse(rpctypes.JSONRPCStringID("x"),
		&ctypes.ResultEvent{Query: query, Data: data, Events: events}))
	check(err)
	return string(bz)
}

func genesis() *types.GenesisDoc {
	doc := &types.GenesisDoc{
		GenesisTime: at("2026-01-01T00:00:00Z"), ChainID: chainID, InitialHeight: 1,
		Validators: []types.GenesisValidator{{PubKey: key("a").PubKey(), Power: 10, Name: "node"}},
		AppState:   json.RawMessage(`{"a":"<b>","n":5}`),
	}
	check(doc.ValidateAndComplete())
	return doc
}

// Responses as they come back from an application behind a socket: made from their own protobuf.
func again[T interface {
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}](m T, fresh T) T {
	bz, err := m.Marshal()
	check(err)
	check(fresh.Unmarshal(bz))
	return fresh
}

func shapes() object {
	block, first := sampleBlock(), firstBlock()
	id := sampleBlockID(0x50)
	raw := sampleFinalize()
	finalize := again(&raw, new(abci.ResponseFinalizeBlock))
	empty := again(&abci.ResponseFinalizeBlock{AppHash: h32(9)}, new(abci.ResponseFinalizeBlock))
	results := func(r *abci.ResponseFinalizeBlock) *ctypes.ResultBlockResults {
		return &ctypes.ResultBlockResults{Height: 42, TxsResults: r.TxResults, FinalizeBlockEvents: r.Events,
			ValidatorUpdates: r.ValidatorUpdates, ConsensusParamUpdates: r.ConsensusParamUpdates, AppHash: r.AppHash}
	}
	tx := block.Txs[0]
	resultTx := &ctypes.ResultTx{Hash: tx.Hash(), Height: 42, Index: 0, TxResult: *finalize.TxResults[0], Tx: tx}
	proven := *resultTx
	proven.Proof = block.Txs.Proof(0)
	second := &ctypes.ResultTx{Hash: block.Txs[1].Hash(), Height: 42, Index: 1, TxResult: *finalize.TxResults[1], Tx: block.Txs[1]}
	set := types.NewValidatorSet([]*types.Validator{types.NewValidator(key("a").PubKey(), 10), types.NewValidator(key("b").PubKey(), 7)})
	checked := again(&abci.ResponseCheckTx{Code: 5, Log: "l", GasWanted: 3, Codespace: "sdk"}, new(abci.ResponseCheckTx))
	query := again(&abci.ResponseQuery{Code: 0, Key: []byte("k"), Value: []byte("v"), Height: 7}, new(abci.ResponseQuery))
	meta := types.NewBlockMeta(block, mustParts(block))
	txEvent := types.EventDataTx{TxResult: abci.TxResult{Height: 42, Index: 1, Tx: tx, Result: *finalize.TxResults[0]}}
	txFailed := types.EventDataTx{TxResult: abci.TxResult{Height: 42, Index: 0, Tx: tx, Result: *finalize.TxResults[1]}}
	node := p2p.DefaultNodeInfo{ProtocolVersion: p2p.NewProtocolVersion(8, 11, 2), DefaultNodeID: "00112233445566778899aabbccddeeff00112233",
		ListenAddr: "tcp://0.0.0.0:26656", Network: chainID, Version: "0.38.26", Channels: []byte{0x40, 0x20}, Moniker: "mu",
		Other: p2p.DefaultNodeInfoOther{TxIndex: "on", RPCAddress: "tcp://127.0.0.1:26657"}}
	state := privval.FilePVLastSignState{Height: 5, Round: 0, Step: 3, Signature: []byte{1, 2}, SignBytes: []byte{0xab}}
	pv := privval.NewFilePV(key("a"), "", "")
	blockProto, err := block.ToProto()
	check(err)
	firstProto, err := first.ToProto()
	check(err)
	return object{
		"inputs": object{"block": proto(blockProto), "firstBlock": proto(firstProto), "finalize": proto(finalize), "emptyFinalize": proto(empty),
			"seeds": []string{hexOf(key("a").Bytes()[:32]), hexOf(key("b").Bytes()[:32])}},
		"block":              reply(&ctypes.ResultBlock{BlockID: id, Block: block}),
		"firstBlock":         reply(&ctypes.ResultBlock{BlockID: id, Block: first}),
		"noBlock":            reply(&ctypes.ResultBlock{}),
		"header":             reply(&ctypes.ResultHeader{Header: &block.Header}),
		"noHeader":           reply(&ctypes.ResultHeader{}),
		"commit":             reply(ctypes.NewResultCommit(&block.Header, block.LastCommit, true)),
		"blockResults":       reply(results(finalize)),
		"emptyBlockResults":  reply(results(empty)),
		"blockchain":         reply(&ctypes.ResultBlockchainInfo{LastHeight: 42, BlockMetas: []*types.BlockMeta{meta}}),
		"tx":                 reply(resultTx),
		"txProof":            reply(&proven),
		"txFailed":           reply(second),
		"txSearch":           reply(&ctypes.ResultTxSearch{Txs: []*ctypes.ResultTx{resultTx}, TotalCount: 31}),
		"txSearchNone":       reply(&ctypes.ResultTxSearch{Txs: []*ctypes.ResultTx{}, TotalCount: 0}),
		"blockSearch":        reply(&ctypes.ResultBlockSearch{Blocks: []*ctypes.ResultBlock{{BlockID: id, Block: block}}, TotalCount: 1}),
		"validators":         reply(&ctypes.ResultValidators{BlockHeight: 42, Validators: set.Validators, Count: 2, Total: 2}),
		"consensusParams":    reply(&ctypes.ResultConsensusParams{BlockHeight: 42, ConsensusParams: *types.DefaultConsensusParams()}),
		"broadcast":          reply(&ctypes.ResultBroadcastTx{Code: 5, Data: []byte{0xab}, Log: "l", Codespace: "sdk", Hash: tx.Hash()}),
		"broadcastAsync":     reply(&ctypes.ResultBroadcastTx{Hash: tx.Hash()}),
		"broadcastCommit":    reply(&ctypes.ResultBroadcastTxCommit{CheckTx: *checked, TxResult: *finalize.TxResults[0], Hash: tx.Hash(), Height: 42}),
		"broadcastCommitBad": reply(&ctypes.ResultBroadcastTxCommit{CheckTx: *checked, TxResult: abci.ExecTxResult{}, Hash: tx.Hash()}),
		"checkTx":            reply(&ctypes.ResultCheckTx{ResponseCheckTx: *checked}),
		"abciInfo":           reply(&ctypes.ResultABCIInfo{Response: abci.ResponseInfo{Data: "mu", Version: "0.1.0", AppVersion: 2, LastBlockHeight: 42, LastBlockAppHash: h32(5)}}),
		"abciInfoEmpty":      reply(&ctypes.ResultABCIInfo{Response: abci.ResponseInfo{}}),
		"abciQuery":          reply(&ctypes.ResultABCIQuery{Response: *query}),
		"unconfirmed":        reply(&ctypes.ResultUnconfirmedTxs{Count: 1, Total: 3, TotalBytes: 99, Txs: []types.Tx{tx}}),
		"numUnconfirmed":     reply(&ctypes.ResultUnconfirmedTxs{Count: 3, Total: 3, TotalBytes: 99}),
		"genesis":            reply(&ctypes.ResultGenesis{Genesis: genesis()}),
		"genesisPlain":       plain(genesis()),
		"genesisChunk":       reply(&ctypes.ResultGenesisChunk{ChunkNumber: 0, TotalChunks: 1, Data: "YQ=="}),
		"netInfo":            reply(&ctypes.ResultNetInfo{Listening: true, Listeners: []string{"Listener(@)"}, NPeers: 0, Peers: []ctypes.Peer{}}),
		"health":             reply(&ctypes.ResultHealth{}),
		"status": reply(&ctypes.ResultStatus{NodeInfo: node,
			SyncInfo: ctypes.SyncInfo{LatestBlockHash: h32(1), LatestAppHash: h32(2), LatestBlockHeight: 42, LatestBlockTime: at("2026-03-01T10:20:31.5Z"),
				EarliestBlockHash: h32(3), EarliestAppHash: nil, EarliestBlockHeight: 1, EarliestBlockTime: at("2026-01-01T00:00:00Z")},
			ValidatorInfo: ctypes.ValidatorInfo{Address: key("a").PubKey().Address(), PubKey: key("a").PubKey(), VotingPower: 10}}),
		"eventBlock": event("tm.event='NewBlock'", types.EventDataNewBlock{Block: block, BlockID: id, ResultFinalizeBlock: *finalize},
			map[string][]string{"tm.event": {"NewBlock"}}),
		"eventEmptyBlock": event("tm.event='NewBlock'", types.EventDataNewBlock{Block: first, BlockID: id, ResultFinalizeBlock: *empty},
			map[string][]string{"tm.event": {"NewBlock"}}),
		"eventHeader": event("tm.event='NewBlockHeader'", types.EventDataNewBlockHeader{Header: block.Header},
			map[string][]string{"tm.event": {"NewBlockHeader"}}),
		"eventBlockEvents": event("q", types.EventDataNewBlockEvents{Height: 42, Events: finalize.Events, NumTxs: 2},
			map[string][]string{"tm.event": {"NewBlockEvents"}}),
		"eventNoBlockEvents": event("q", types.EventDataNewBlockEvents{Height: 42, Events: empty.Events, NumTxs: 0},
			map[string][]string{"tm.event": {"NewBlockEvents"}}),
		"eventTx":       event("tm.event='Tx'", txEvent, map[string][]string{"tx.height": {"42"}}),
		"eventTxFailed": event("tm.event='Tx'", txFailed, map[string][]string{"tx.height": {"42"}}),
		"eventValidators": event("q", types.EventDataValidatorSetUpdates{ValidatorUpdates: set.Validators},
			map[string][]string{"tm.event": {"ValidatorSetUpdates"}}),
		"subscribed":     reply(&ctypes.ResultSubscribe{}),
		"validatorKey":   plain(pv.Key),
		"validatorState": plain(state),
		"nodeKey":        plain(p2p.NodeKey{PrivKey: key("b")}),
		"nodeId":         string(p2p.PubKeyToID(key("b").PubKey())),
	}
}

func mustParts(block *types.Block) *types.PartSet {
	set, err := block.MakePartSet(types.BlockPartSizeBytes)
	check(err)
	return set
}

func hexOf(bz []byte) string { return hex.EncodeToString(bz) }
