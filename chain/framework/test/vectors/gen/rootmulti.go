package main

import (
	"fmt"
	"math/rand"
	"sort"

	"cosmossdk.io/log"
	"cosmossdk.io/store/metrics"
	pruningtypes "cosmossdk.io/store/pruning/types"
	"cosmossdk.io/store/rootmulti"
	"cosmossdk.io/store/types"
	dbm "github.com/cosmos/cosmos-db"
)

// writeRootmulti runs whole blocks through the SDK's store of stores.
func writeRootmulti([]string) {
	writeCases("../rootmulti.json", "chains", []object{
		plainChain(), lateChain(), upgradedChain(), renamedChain(), oneStoreChain(), emptyChain(),
	})
}

// chain writes down blocks and the answers to queries.
type chain struct {
	db      dbm.DB
	store   *rootmulti.Store
	keys    map[string]*types.KVStoreKey
	random  *rand.Rand
	blocks  []object
	queries []object
	// what a block writes: store → operations in the order of a block's transactions
	branch types.CacheMultiStore
	ops    map[string][]any
	change object
}

func newChain(seed int64, stores ...string) *chain {
	c := &chain{db: dbm.NewMemDB(), random: rand.New(rand.NewSource(seed)), keys: map[string]*types.KVStoreKey{}}
	for _, name := range stores {
		c.keys[name] = types.NewKVStoreKey(name)
	}
	c.open(nil)
	c.begin()
	return c
}

// open loads the last version, with the stores added or removed by an upgrade.
func (c *chain) open(upgrades *types.StoreUpgrades) {
	c.store = rootmulti.NewStore(c.db, log.NewNopLogger(), metrics.NewNoOpMetrics())
	c.store.SetIAVLSyncPruning(true)
	c.store.SetPruning(pruningtypes.NewPruningOptions(pruningtypes.PruningNothing))
	for _, key := range c.keys {
		c.store.MountStoreWithDB(key, types.StoreTypeIAVL, nil)
	}
	check(c.store.LoadLatestVersionAndUpgrade(upgrades))
}

func (c *chain) begin() {
	c.branch = c.store.CacheMultiStore()
	c.ops = map[string][]any{}
	c.change = nil
}

// add starts the chain anew with more stores; the next block is the first that has them.
func (c *chain) add(names ...string) {
	for _, name := range names {
		c.keys[name] = types.NewKVStoreKey(name)
	}
	c.open(&types.StoreUpgrades{Added: names})
	c.begin()
	c.change = object{"added": names}
}

// remove starts the chain anew without a store; the next block is the first that lacks it.
func (c *chain) remove(name string) {
	c.open(&types.StoreUpgrades{Deleted: []string{name}})
	delete(c.keys, name)
	c.begin()
	c.change = object{"deleted": []string{name}}
}

// rename starts the chain anew with a store under another name; the next block is the first that has it.
func (c *chain) rename(from, to string) {
	delete(c.keys, from)
	c.keys[to] = types.NewKVStoreKey(to)
	c.open(&types.StoreUpgrades{Renamed: []types.StoreRename{{OldKey: from, NewKey: to}}})
	c.begin()
	c.change = object{"renamed": []object{{"from": from, "to": to}}}
}

func (c *chain) set(store string, key, value []byte) {
	c.branch.GetKVStore(c.keys[store]).Set(key, value)
	c.ops[store] = append(c.ops[store], []any{"set", toHex(key), toHex(value)})
}

func (c *chain) del(store string, key []byte) {
	c.branch.GetKVStore(c.keys[store]).Delete(key)
	c.ops[store] = append(c.ops[store], []any{"remove", toHex(key)})
}

func (c *chain) commit() {
	c.branch.Write()
	working := c.store.WorkingHash()
	id := c.store.Commit()
	if toHex(working) != toHex(id.Hash) {
		panic("working hash and app hash differ")
	}
	info, err := c.store.GetCommitInfo(id.Version)
	check(err)
	roots := object{}
	for _, store := range info.StoreInfos {
		roots[store.Name] = toHex(store.CommitId.Hash)
	}
	block := object{"height": id.Version, "ops": c.ops, "stores": roots, "appHash": toHex(id.Hash)}
	if c.change != nil {
		block["upgrade"] = c.change
	}
	c.blocks = append(c.blocks, block)
	c.begin()
}

// query writes down what `/store/key` with a proof answers; where the SDK has none, why.
func (c *chain) query(height int64, store string, key []byte) {
	entry := object{"height": height, "store": store, "key": toHex(key)}
	defer func() {
		if reason := recover(); reason != nil {
			entry["error"] = fmt.Sprint(reason)
		}
		c.queries = append(c.queries, entry)
	}()
	answer, err := c.store.Query(&types.RequestQuery{Path: "/" + store + "/key", Data: key, Height: height, Prove: true})
	if err != nil {
		entry["error"] = err.Error()
		return
	}
	ops := []object{}
	for _, op := range answer.ProofOps.Ops {
		ops = append(ops, object{"type": op.Type, "key": toBase64(op.Key), "data": toBase64(op.Data)})
	}
	entry["value"] = hexOrNil(answer.Value)
	entry["ops"] = ops
}

func (c *chain) result(name string, initialHeight int64, stores ...string) object {
	sort.Strings(stores)
	return object{
		"name": name, "initialHeight": initialHeight, "stores": stores, "blocks": c.blocks, "queries": c.queries,
	}
}

// traffic is a block's worth of transactions: they write in any order, over each other, and delete.
func (c *chain) traffic(store string, count, keys int) {
	for range count {
		key := []byte(fmt.Sprintf("%s/%03d", store, c.random.Intn(keys)))
		if c.random.Intn(4) == 0 {
			c.del(store, key)
			continue
		}
		value := make([]byte, 1+c.random.Intn(24))
		c.random.Read(value)
		c.set(store, key, value)
	}
}

// ask queries keys that are there and keys that are not.
func (c *chain) ask(height int64, stores ...string) {
	for _, store := range stores {
		for _, key := range []string{"/", store + "/007", store + "/007x", store + "/021", "~"} {
			c.query(height, store, []byte(key))
		}
	}
}

func plainChain() object {
	stores := []string{"acc", "bank", "billing", "deployment", "market", "provider", "upgrade"}
	c := newChain(1, stores...)
	for height := int64(1); height <= 12; height++ {
		switch {
		case height == 3: // nothing happens
		case height%4 == 0:
			c.traffic("market", 20, 30)
			c.traffic("bank", 3, 60)
		default:
			c.traffic("bank", 30, 60)
			c.traffic("acc", 12, 40)
			c.traffic("market", int(height), 30)
		}
		if height == 5 {
			c.set("provider", []byte("provider/007"), []byte("one"))
		}
		if height == 9 { // set to what it is; set and deleted again
			c.set("provider", []byte("provider/007"), []byte("one"))
			c.set("deployment", []byte("gone"), []byte("gone"))
			c.del("deployment", []byte("gone"))
		}
		c.commit()
	}
	c.ask(12, "acc", "bank", "market", "provider")
	c.ask(7, "acc", "bank", "market", "provider")
	c.ask(3, "bank")
	c.ask(2, "bank")
	c.query(12, "upgrade", []byte("nothing is here"))
	c.query(4, "provider", []byte("provider/007"))
	c.query(13, "bank", []byte("bank/007"))
	c.query(12, "nowhere", []byte("bank/007"))
	c.query(12, "bank", []byte{})
	return c.result("seven stores", 1, stores...)
}

func lateChain() object {
	c := newChain(2, "acc", "bank")
	check(c.store.SetInitialVersion(1000))
	for range 4 {
		c.traffic("bank", 12, 30)
		c.commit()
	}
	c.traffic("acc", 12, 30)
	c.commit()
	c.ask(1004, "acc", "bank")
	c.ask(1001, "bank")
	return c.result("begins at height 1000", 1000, "acc", "bank")
}

func upgradedChain() object {
	c := newChain(3, "acc", "bank", "old")
	for range 4 {
		c.traffic("bank", 12, 30)
		c.traffic("old", 4, 10)
		c.commit()
	}
	c.add("market", "staking")
	c.traffic("market", 10, 30)
	c.commit()
	c.traffic("bank", 6, 30)
	c.traffic("staking", 6, 30)
	c.commit()
	c.remove("old")
	c.traffic("bank", 6, 30)
	c.commit()
	c.traffic("market", 6, 30)
	c.commit()
	c.ask(8, "bank", "market", "staking")
	c.ask(5, "bank", "market")
	c.query(4, "market", []byte("market/007"))
	c.query(6, "bank", []byte("bank/007"))
	return c.result("stores added and removed by upgrades", 1, "acc", "bank", "old")
}

func renamedChain() object {
	c := newChain(6, "acc", "bank", "nft")
	for range 3 {
		c.traffic("bank", 12, 30)
		c.traffic("nft", 20, 60)
		c.commit()
	}
	c.rename("nft", "collectibles")
	c.traffic("bank", 6, 30)
	c.traffic("collectibles", 10, 60)
	c.commit()
	c.traffic("collectibles", 10, 60)
	c.commit()
	c.rename("bank", "cash")
	c.commit()
	c.traffic("cash", 10, 30)
	c.commit()
	c.ask(7, "cash", "collectibles")
	c.ask(4, "collectibles")
	return c.result("stores renamed by upgrades", 1, "acc", "bank", "nft")
}

func oneStoreChain() object {
	c := newChain(4, "bank")
	c.traffic("bank", 20, 30)
	c.commit()
	c.traffic("bank", 20, 30)
	c.commit()
	c.ask(2, "bank")
	return c.result("one store", 1, "bank")
}

func emptyChain() object {
	c := newChain(5, "acc", "bank", "market")
	c.commit()
	c.commit()
	return c.result("nothing is ever written", 1, "acc", "bank", "market")
}
