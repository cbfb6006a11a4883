package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"syscall"
	"time"

	"cosmossdk.io/log"
	"cosmossdk.io/store/metrics"
	pruningtypes "cosmossdk.io/store/pruning/types"
	"cosmossdk.io/store/rootmulti"
	"cosmossdk.io/store/types"
	dbm "github.com/cosmos/cosmos-db"
)

// sdkCacheSize is the SDK's default of iavl-cache-size (server/config), in nodes.
const sdkCacheSize = 781_250

// bench measures commits as the SDK makes them: a rootmulti store with one IAVL store over goleveldb, fast nodes on,
// pruning `default`, iavl-cache-size 781250; one synchronous write of the commit info a block. A block sets `changed`
// accounts through a branch of the store, which hands them on in ascending order.
//
//	gen bench [-accounts 10000] [-changed 10000] [-rounds 10] [-seed 1] [-dir FOLDER]
func bench(args []string) {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	accounts := flags.Int("accounts", 10_000, "accounts in the tree")
	changed := flags.Int("changed", 10_000, "accounts changed in each block")
	rounds := flags.Int("rounds", 10, "blocks that are measured")
	seed := flags.Int64("seed", 1, "of the random accounts")
	parent := flags.String("dir", "", "folder for the database; a temporary one by default")
	check(flags.Parse(args))
	if *changed > *accounts {
		panic("more accounts are changed than there are")
	}

	dir, err := os.MkdirTemp(*parent, "iavl-bench-")
	check(err)
	defer os.RemoveAll(dir)
	db, err := dbm.NewGoLevelDB("application", dir, nil)
	check(err)
	b := &benchStore{random: rand.New(rand.NewSource(*seed)), key: types.NewKVStoreKey("bank")}
	b.open(db)
	filled := b.fill(*accounts)
	result := b.measure(*changed, *rounds)
	check(db.Close())
	result["accounts"] = *accounts
	result["changed"] = *changed
	result["rounds"] = *rounds
	result["fill_ms"] = filled.Milliseconds()
	result["iavl_cache_size"] = sdkCacheSize
	result["backend"] = "goleveldb"
	result["modules"] = moduleVersions()
	text, err := json.Marshal(result)
	check(err)
	fmt.Println(string(text))
}

type benchStore struct {
	random   *rand.Rand
	key      *types.KVStoreKey
	store    *rootmulti.Store
	accounts [][]byte
}

func (b *benchStore) open(db dbm.DB) {
	b.store = rootmulti.NewStore(db, log.NewNopLogger(), metrics.NewNoOpMetrics())
	b.store.SetIAVLCacheSize(sdkCacheSize)
	b.store.SetPruning(pruningtypes.NewPruningOptions(pruningtypes.PruningDefault))
	b.store.MountStoreWithDB(b.key, types.StoreTypeIAVL, nil)
	check(b.store.LoadLatestVersion())
}

// fill makes the accounts, at most 50,000 a block.
func (b *benchStore) fill(count int) time.Duration {
	began := time.Now()
	for len(b.accounts) < count {
		branch := b.store.CacheMultiStore()
		kv := branch.GetKVStore(b.key)
		for range min(50_000, count-len(b.accounts)) {
			account := make([]byte, 21)
			b.random.Read(account)
			account[0] = 2
			b.accounts = append(b.accounts, account)
			kv.Set(account, b.value())
		}
		branch.Write()
		b.store.Commit()
	}
	return time.Since(began)
}

func (b *benchStore) value() []byte {
	value := make([]byte, 60)
	b.random.Read(value)
	return value
}

func (b *benchStore) measure(changed, rounds int) object {
	var write, hash, commit time.Duration
	blocks := []float64{}
	cpu := cpuTime()
	for range rounds {
		branch := b.store.CacheMultiStore()
		kv := branch.GetKVStore(b.key)
		for _, at := range b.random.Perm(len(b.accounts))[:changed] {
			kv.Set(b.accounts[at], b.value())
		}
		began := time.Now()
		branch.Write()
		written := time.Now()
		b.store.WorkingHash()
		hashed := time.Now()
		b.store.Commit()
		ended := time.Now()
		write += written.Sub(began)
		hash += hashed.Sub(written)
		commit += ended.Sub(hashed)
		blocks = append(blocks, float64(ended.Sub(began).Microseconds())/1000)
	}
	cpu = cpuTime() - cpu
	total := write + hash + commit
	sort.Float64s(blocks)
	perBlock := func(phase time.Duration) float64 {
		return float64(phase.Microseconds()) / 1000 / float64(rounds)
	}
	return object{
		"leaves_per_s": int(float64(changed*rounds) / total.Seconds()),
		"block_ms":     perBlock(total), "write_ms": perBlock(write), "hash_ms": perBlock(hash), "commit_ms": perBlock(commit),
		"cpu_block_ms":     perBlock(cpu),
		"fastest_block_ms": blocks[0], "median_block_ms": blocks[len(blocks)/2], "slowest_block_ms": blocks[len(blocks)-1],
	}
}

// cpuTime is what the program used on all cores: garbage collection and compaction too, and making up the blocks.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
