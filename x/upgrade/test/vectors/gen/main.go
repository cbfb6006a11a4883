// Makes ../upgrade.json: messages of x/consensus and x/upgrade and the pre-block of x/upgrade, carried out by the Cosmos
// SDK's own keepers, with gas, events, errors and every key and value of the two stores after each step.
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"cosmossdk.io/core/header"
	"cosmossdk.io/errors"
	storetypes "cosmossdk.io/store/types"
	upgrade "cosmossdk.io/x/upgrade"
	upgradekeeper "cosmossdk.io/x/upgrade/keeper"
	upgradetypes "cosmossdk.io/x/upgrade/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/cosmos/gogoproto/proto"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
)

var authority = authtypes.NewModuleAddress("gov").String()

// step is one line of the vector: what was done, and what came of it.
type step struct {
	Name      string                 `json:"name"`
	Kind      string                 `json:"kind"`
	Height    int64                  `json:"height"`
	Message   string                 `json:"message,omitempty"`
	Handlers  []string               `json:"handlers,omitempty"`
	Skip      []int64                `json:"skip,omitempty"`
	Gas       uint64                 `json:"gas"`
	Events    [][]any                `json:"events"`
	Codespace string                 `json:"codespace"`
	Code      uint32                 `json:"code"`
	Log       string                 `json:"log"`
	File      string                 `json:"file,omitempty"`
	Stores    map[string][][2]string `json:"stores"`
}

type world struct {
	ctx       sdk.Context
	keys      map[string]*storetypes.KVStoreKey
	cdc       codec.Codec
	consensus consensuskeeper.Keeper
	home      string
	steps     []step
}

func newWorld() *world {
	keys := storetypes.NewKVStoreKeys(consensustypes.StoreKey, upgradetypes.StoreKey)
	ctx := testutil.DefaultContextWithKeys(keys, nil, nil)
	cdc := codec.NewProtoCodec(codectypes.NewInterfaceRegistry())
	home, err := os.MkdirTemp("", "vectors")
	if err != nil {
		panic(err)
	}
	service := runtime.NewKVStoreService(keys[consensustypes.StoreKey])
	return &world{
		ctx: ctx, keys: keys, cdc: cdc, home: home,
		consensus: consensuskeeper.NewKeeper(cdc, service, authority, runtime.EventService{}),
	}
}

// program is the upgrade keeper of a binary that knows these upgrades. Each raises the version of bank by one.
func (w *world) program(handlers []string, skip []int64) *upgradekeeper.Keeper {
	skips := map[int64]bool{}
	for _, height := range skip {
		skips[height] = true
	}
	service := runtime.NewKVStoreService(w.keys[upgradetypes.StoreKey])
	keeper := upgradekeeper.NewKeeper(skips, service, w.cdc, w.home, nil, authority)
	for _, name := range handlers {
		keeper.SetUpgradeHandler(name, raiseBank)
	}
	return keeper
}

// run carries out one step on a branch, which is written only when it succeeds, and records what came of it.
func (w *world) run(s step, do func(ctx sdk.Context) error) {
	branch, write := w.ctx.WithBlockHeight(s.Height).WithHeaderInfo(header.Info{Height: s.Height}).CacheContext()
	ctx := branch.WithGasMeter(storetypes.NewInfiniteGasMeter()).WithEventManager(sdk.NewEventManager())
	err := do(ctx)
	s.Codespace, s.Code, s.Log = errors.ABCIInfo(err, false)
	s.Gas = ctx.GasMeter().GasConsumed()
	s.Events = [][]any{}
	if err == nil {
		write()
		for _, event := range ctx.EventManager().Events() {
			attributes := [][2]string{}
			for _, attribute := range event.Attributes {
				attributes = append(attributes, [2]string{attribute.Key, attribute.Value})
			}
			s.Events = append(s.Events, []any{event.Type, attributes})
		}
	}
	s.Stores = w.dump()
	w.steps = append(w.steps, s)
}

func (w *world) dump() map[string][][2]string {
	stores := map[string][][2]string{}
	for name, key := range w.keys {
		pairs := [][2]string{}
		iterator := w.ctx.MultiStore().GetKVStore(key).Iterator(nil, nil)
		for ; iterator.Valid(); iterator.Next() {
			pairs = append(pairs, [2]string{hex.EncodeToString(iterator.Key()), hex.EncodeToString(iterator.Value())})
		}
		iterator.Close()
		stores[name] = pairs
	}
	return stores
}

func (w *world) message(kind, name string, height int64, msg proto.Message) {
	bytes := w.cdc.MustMarshal(msg)
	server := upgradekeeper.NewMsgServerImpl(w.program(nil, nil))
	s := step{Name: name, Kind: kind, Height: height, Message: base64.StdEncoding.EncodeToString(bytes)}
	w.run(s, func(ctx sdk.Context) (err error) {
		switch m := msg.(type) {
		case *consensustypes.MsgUpdateParams:
			_, err = w.consensus.UpdateParams(ctx, m)
		case *upgradetypes.MsgSoftwareUpgrade:
			_, err = server.SoftwareUpgrade(ctx, m)
		case *upgradetypes.MsgCancelUpgrade:
			_, err = server.CancelUpgrade(ctx, m)
		default:
			panic(fmt.Sprintf("no server of %T", msg))
		}
		return err
	})
}

func (w *world) preBlock(name string, height int64, handlers []string, skip ...int64) {
	file := filepath.Join(w.home, "data", upgradetypes.UpgradeInfoFilename)
	os.Remove(file)
	w.run(step{Name: name, Kind: "pre-block", Height: height, Handlers: handlers, Skip: skip}, func(ctx sdk.Context) error {
		params, err := w.consensus.ParamsStore.Get(ctx)
		if err != nil {
			return err
		}
		_, err = upgrade.PreBlocker(ctx.WithConsensusParams(params), w.program(handlers, skip))
		return err
	})
	last := &w.steps[len(w.steps)-1]
	// The block's own meter is unlimited and nobody asks it: gas of a pre-block is no part of any answer.
	last.Gas = 0
	if written, err := os.ReadFile(file); err == nil {
		last.File = string(written)
	}
}

func main() {
	w := newWorld()
	defer os.RemoveAll(w.home)
	genesis(w)
	consensusSteps(w)
	upgradeSteps(w)
	fmt.Println("[")
	for i, s := range w.steps {
		bytes, err := json.Marshal(s)
		if err != nil {
			panic(err)
		}
		comma := ","
		if i == len(w.steps)-1 {
			comma = ""
		}
		fmt.Printf("%s%s\n", bytes, comma)
	}
	fmt.Println("]")
}

// genesis stores what CometBFT sends in InitChain, and the versions of three modules.
func genesis(w *world) {
	w.run(step{Name: "genesis", Kind: "genesis", Height: 0}, func(ctx sdk.Context) error {
		params := cmtproto.ConsensusParams{
			Block: blockOf(2_097_152, 500_000_000), Evidence: evidenceOf(100_000, hours(48), 1_048_576),
			Validator: keysOf("ed25519"), Version: &cmtproto.VersionParams{}, Abci: &cmtproto.ABCIParams{},
		}
		if err := w.consensus.ParamsStore.Set(ctx, params); err != nil {
			return err
		}
		return w.program(nil, nil).SetModuleVersionMap(ctx, map[string]uint64{"bank": 4, "auth": 5, "upgrade": 2})
	})
}
