// Snapshots by the Cosmos SDK itself (cosmossdk.io/store/snapshots over rootmulti).
//
//	go run . make > ../snapshot.json        a snapshot with its app hash, and what the state holds
//	go run . restore FOLDER STORE...        restores a snapshot of ours (`<folder>/_snapshot`, `0`, `1`, …), prints its app hash
package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"

	"cosmossdk.io/log"
	"cosmossdk.io/store/metrics"
	pruningtypes "cosmossdk.io/store/pruning/types"
	"cosmossdk.io/store/rootmulti"
	"cosmossdk.io/store/snapshots"
	snapshottypes "cosmossdk.io/store/snapshots/types"
	"cosmossdk.io/store/types"
	dbm "github.com/cosmos/cosmos-db"
)

func main() {
	if len(os.Args) > 3 && os.Args[1] == "restore" {
		fmt.Println(restore(os.Args[2], os.Args[3:]))
	} else if len(os.Args) == 2 && os.Args[1] == "make" {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetIndent("", "  ")
		check(encoder.Encode(vector()))
	} else {
		fmt.Fprintln(os.Stderr, "usage: make | restore FOLDER STORE...")
		os.Exit(2)
	}
}

func open(names []string) (*rootmulti.Store, map[string]*types.KVStoreKey) {
	store := rootmulti.NewStore(dbm.NewMemDB(), log.NewNopLogger(), metrics.NewNoOpMetrics())
	store.SetPruning(pruningtypes.NewPruningOptions(pruningtypes.PruningNothing))
	keys := map[string]*types.KVStoreKey{}
	for _, name := range names {
		keys[name] = types.NewKVStoreKey(name)
		store.MountStoreWithDB(keys[name], types.StoreTypeIAVL, nil)
	}
	check(store.LoadLatestVersion())
	return store, keys
}

func manager(store *rootmulti.Store) *snapshots.Manager {
	folder, err := os.MkdirTemp("", "snapshots")
	check(err)
	files, err := snapshots.NewStore(dbm.NewMemDB(), folder)
	check(err)
	return snapshots.NewManager(files, snapshottypes.NewSnapshotOptions(1, 0), store, nil, log.NewNopLogger())
}

// vector makes blocks of random sets and removes, so that nodes are of many versions, and one store stays empty.
func vector() map[string]any {
	names := []string{"acc", "bank", "empty", "one"}
	store, keys := open(names)
	random := rand.New(rand.NewSource(4))
	for height := 1; height <= 12; height++ {
		if height == 3 {
			store.GetKVStore(keys["one"]).Set([]byte{0}, []byte{})
		}
		for _, name := range names[:2] {
			kv := store.GetKVStore(keys[name])
			for range 40 {
				key := []byte{byte(random.Intn(3)), byte(random.Intn(120))}
				if random.Intn(4) == 0 {
					kv.Delete(key)
				} else {
					value := make([]byte, random.Intn(60))
					random.Read(value)
					kv.Set(key, value)
				}
			}
		}
		store.Commit()
	}
	height := uint64(store.LastCommitID().Version)
	from := manager(store)
	snapshot, err := from.Create(height)
	check(err)
	abci, err := snapshot.ToABCI()
	check(err)
	chunks := []string{}
	for index := range snapshot.Chunks {
		chunk, err := from.LoadChunk(height, snapshot.Format, index)
		check(err)
		chunks = append(chunks, base64.StdEncoding.EncodeToString(chunk))
	}
	values := map[string]map[string]string{}
	for _, name := range names {
		values[name] = map[string]string{}
		iterator := store.GetKVStore(keys[name]).Iterator(nil, nil)
		for ; iterator.Valid(); iterator.Next() {
			values[name][hex.EncodeToString(iterator.Key())] = hex.EncodeToString(iterator.Value())
		}
		check(iterator.Close())
	}
	return map[string]any{
		"made_with": "cosmossdk.io/store v1.1.2, github.com/cosmos/iavl v1.2.6",
		"height":    height,
		"format":    snapshot.Format,
		"app_hash":  hex.EncodeToString(store.LastCommitID().Hash),
		"hash":      hex.EncodeToString(snapshot.Hash),
		"metadata":  hex.EncodeToString(abci.Metadata),
		"chunks":    chunks,
		"values":    values,
	}
}

func restore(folder string, names []string) string {
	bytes, err := os.ReadFile(filepath.Join(folder, "_snapshot"))
	check(err)
	var snapshot snapshottypes.Snapshot
	check(snapshot.Unmarshal(bytes))
	store, _ := open(names)
	to := manager(store)
	check(to.Restore(snapshot))
	for index := range snapshot.Chunks {
		chunk, err := os.ReadFile(filepath.Join(folder, strconv.Itoa(int(index))))
		check(err)
		done, err := to.RestoreChunk(chunk)
		check(err)
		if done != (index == snapshot.Chunks-1) {
			panic("restored too early or too late")
		}
	}
	return hex.EncodeToString(store.LastCommitID().Hash)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
