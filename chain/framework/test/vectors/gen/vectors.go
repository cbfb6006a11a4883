package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
)

// writeVectors runs every case through cosmos/iavl.
func writeVectors([]string) {
	cases := []object{}
	for _, run := range []func() []object{
		smallCases, orderCases, deletionCases, versionCases, byteCases, accountCases, randomCases,
	} {
		cases = append(cases, run()...)
	}
	writeCases("../iavl.json", "cases", cases)
}

func numbered(at int) []byte { return []byte(fmt.Sprintf("key-%04d", at)) }

func valueOf(at int) []byte { return []byte(fmt.Sprintf("value-%d", at)) }

// one runs a case of its own recorder.
func one(name string, initialVersion uint64, run func(r *recorder)) object {
	r := record(name, initialVersion)
	run(r)
	return r.result()
}

func smallCases() []object {
	all := detail{shape: true, proofs: 8}
	return []object{
		one("an empty tree stays empty", 1, func(r *recorder) {
			r.save(all)
			r.save(all)
			r.remove([]byte("absent"))
			r.save(all)
		}),
		one("one leaf: set, kept, set to the same, changed, removed, set again", 1, func(r *recorder) {
			r.set([]byte("a"), []byte("1"))
			r.save(all)
			r.save(all)
			r.set([]byte("a"), []byte("1"))
			r.save(all)
			r.set([]byte("a"), []byte("2"))
			r.save(all)
			r.remove([]byte("a"))
			r.save(all)
			r.save(all)
			r.set([]byte("a"), []byte("3"))
			r.save(all)
		}),
		one("two and three leaves", 1, func(r *recorder) {
			r.set([]byte("b"), []byte("2"))
			r.set([]byte("a"), []byte("1"))
			r.save(all)
			r.set([]byte("c"), []byte("3"))
			r.save(all)
			r.remove([]byte("a"))
			r.save(all)
			r.remove([]byte("c"))
			r.save(all)
		}),
		one("a key set and removed many times in one version", 1, func(r *recorder) {
			for at := range 5 {
				r.set([]byte("k"), valueOf(at))
				r.set([]byte("l"), valueOf(at))
				r.remove([]byte("k"))
			}
			r.save(all)
			r.set([]byte("k"), valueOf(9))
			r.remove([]byte("l"))
			r.set([]byte("l"), valueOf(0))
			r.save(all)
		}),
	}
}

func orderCases() []object {
	orders := []struct {
		name string
		keys func() []int
	}{
		{"ascending", func() []int { return ascending(48) }},
		{"descending", func() []int { return reversed(ascending(48)) }},
		{"from both ends", func() []int {
			keys := []int{}
			for at := range 24 {
				keys = append(keys, at, 47-at)
			}
			return keys
		}},
		{"shuffled", func() []int { return rand.New(rand.NewSource(4)).Perm(48) }},
	}
	cases := []object{}
	for _, order := range orders {
		cases = append(cases, one("inserted "+order.name+" in one version", 1, func(r *recorder) {
			for _, at := range order.keys() {
				r.set(numbered(at), valueOf(at))
			}
			r.save(detail{shape: true, proofs: 6})
		}))
		cases = append(cases, one("inserted "+order.name+", one in each version", 1, func(r *recorder) {
			keys := order.keys()[:24]
			for done, at := range keys {
				r.set(numbered(at), valueOf(at))
				r.save(detail{shape: done == len(keys)-1, proofs: map[bool]int{true: 4}[done == len(keys)-1]})
			}
		}))
	}
	return append(cases, rotationCases()...)
}

func rotationCases() []object {
	cases := []object{}
	for _, keys := range []string{"abc", "cba", "acb", "cab", "bdac", "dbca"} {
		cases = append(cases, one("rotation after "+keys, 1, func(r *recorder) {
			for _, key := range keys {
				r.set([]byte(string(key)), []byte{byte(key)})
			}
			r.save(detail{shape: true})
		}))
	}
	return cases
}

func ascending(count int) []int {
	keys := make([]int, count)
	for at := range keys {
		keys[at] = at
	}
	return keys
}

func reversed(keys []int) []int {
	out := make([]int, len(keys))
	for at, key := range keys {
		out[len(keys)-1-at] = key
	}
	return out
}

func deletionCases() []object {
	cases := []object{}
	orders := map[string][]int{
		"ascending": ascending(60), "descending": reversed(ascending(60)), "shuffled": rand.New(rand.NewSource(5)).Perm(60),
	}
	for _, name := range []string{"ascending", "descending", "shuffled"} {
		cases = append(cases, one("removed "+name+" down to empty, then set again", 1, func(r *recorder) {
			for at := range 60 {
				r.set(numbered(at), valueOf(at))
			}
			r.save(detail{})
			for done, at := range orders[name] {
				r.remove(numbered(at))
				if done%6 == 5 {
					r.save(detail{shape: done == 29, proofs: map[bool]int{true: 3}[done == 29]})
				}
			}
			r.remove(numbered(0))
			r.save(detail{shape: true})
			r.set(numbered(7), valueOf(7))
			r.save(detail{shape: true, proofs: 1})
		}))
	}
	return append(cases, one("removes of absent keys change nothing", 1, func(r *recorder) {
		for at := 0; at < 20; at += 2 {
			r.set(numbered(at), valueOf(at))
		}
		r.save(detail{shape: true})
		r.remove([]byte("a"))
		r.remove(numbered(3))
		r.remove([]byte("z"))
		r.remove([]byte{})
		r.save(detail{shape: true})
		r.remove(numbered(3))
		r.remove(numbered(4))
		r.remove(numbered(4))
		r.save(detail{shape: true})
	}))
}

func versionCases() []object {
	start := func(r *recorder) {
		for at := range 10 {
			r.set(numbered(at), valueOf(at))
		}
		r.save(detail{shape: true, proofs: 3})
		r.set(numbered(3), valueOf(33))
		r.remove(numbered(8))
		r.save(detail{shape: true, proofs: 3})
		r.save(detail{})
		r.set(numbered(11), valueOf(11))
		r.save(detail{shape: true, proofs: 3})
	}
	return []object{
		one("first version 64", 64, start),
		one("first version 1000", 1000, start),
		one("first version 5000000000", 5_000_000_000, start),
		one("first version 7, empty at first", 7, func(r *recorder) {
			r.save(detail{shape: true})
			r.set([]byte("a"), []byte("1"))
			r.save(detail{shape: true, proofs: 1})
		}),
		one("loaded anew between versions", 1, func(r *recorder) {
			random := rand.New(rand.NewSource(6))
			for range 8 {
				for range 12 {
					at := random.Intn(40)
					if random.Intn(3) == 0 {
						r.remove(numbered(at))
					} else {
						r.set(numbered(at), valueOf(random.Intn(1000)))
					}
				}
				r.save(detail{})
				r.reload()
			}
			r.save(detail{shape: true, proofs: 4})
		}),
		one("rolled back before it is saved", 1, func(r *recorder) {
			r.set([]byte("dropped"), []byte("1"))
			r.rollback()
			r.set([]byte("kept"), []byte("1"))
			r.save(detail{shape: true})
			for at := range 9 {
				r.set(numbered(at), valueOf(at))
			}
			r.remove([]byte("kept"))
			r.rollback()
			r.save(detail{shape: true})
			r.set([]byte("more"), []byte("2"))
			r.save(detail{shape: true, proofs: 2})
		}),
	}
}

func byteCases() []object {
	long := bytes.Repeat([]byte{0xab, 0x00, 0xff, 0x7f}, 75)
	return []object{
		one("keys of all bytes and lengths", 1, func(r *recorder) {
			keys := [][]byte{
				{0}, {0, 0}, {0, 0, 0}, {0, 1}, {1}, {0x7f}, {0x80}, {0xc3, 0xa9}, {0xe2, 0x82, 0xac}, {0xfe}, {0xff},
				{0xff, 0}, {0xff, 0xff}, {0xff, 0xff, 0xff}, []byte("a"), []byte("aa"), []byte("ab"), long[:127], long[:128],
				long, append(append([]byte{}, long...), 0),
			}
			for _, at := range rand.New(rand.NewSource(7)).Perm(len(keys)) {
				r.set(keys[at], []byte{byte(at)})
			}
			r.save(detail{shape: true, proofs: 30})
			for at := range 256 {
				r.set([]byte{byte(at)}, []byte{byte(255 - at)})
			}
			r.save(detail{})
		}),
		one("values of all lengths, the empty one too", 1, func(r *recorder) {
			for at, length := range []int{0, 1, 31, 32, 33, 55, 56, 63, 64, 65, 127, 128, 255, 256, 511, 512, 513, 4096, 20_000} {
				value := make([]byte, length)
				for index := range value {
					value[index] = byte(index * (at + 1))
				}
				r.set(numbered(at), value)
			}
			r.save(detail{proofs: 4})
			r.set(numbered(0), []byte{})
			r.save(detail{})
		}),
	}
}

// accountCases has keys and values as those of the bank: a prefix and an address, changed in ascending order.
func accountCases() []object {
	return []object{one("accounts, fifty changed in each version", 1, func(r *recorder) {
		random := rand.New(rand.NewSource(8))
		accounts := make([][]byte, 400)
		for at := range accounts {
			key := make([]byte, 21)
			random.Read(key)
			key[0] = 2
			accounts[at] = key
			r.set(key, binary.BigEndian.AppendUint64([]byte("balance"), uint64(at)))
		}
		r.save(detail{proofs: 4})
		for version := range 6 {
			for range 50 {
				r.set(accounts[random.Intn(len(accounts))], binary.BigEndian.AppendUint64(nil, random.Uint64()))
			}
			r.save(detail{proofs: map[bool]int{true: 4}[version == 5]})
		}
	})}
}

func randomCases() []object {
	cases := []object{}
	for seed := range 4 {
		cases = append(cases, one(fmt.Sprintf("random operations %d", seed), 1, func(r *recorder) {
			random := rand.New(rand.NewSource(int64(100 + seed)))
			for version := range 12 {
				for range 70 {
					key := make([]byte, 1+random.Intn(2))
					random.Read(key)
					key[0] &= 0x3f
					if random.Intn(10) < 3+seed {
						r.remove(key)
						continue
					}
					value := make([]byte, 1+random.Intn(12))
					random.Read(value)
					r.set(key, value)
				}
				last := version == 11
				r.save(detail{shape: last, proofs: map[bool]int{true: 5}[last]})
			}
		}))
	}
	return cases
}
