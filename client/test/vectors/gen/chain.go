package main

import (
	"fmt"
	"sort"
	"time"

	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/crypto/secp256k1"
	"github.com/cometbft/cometbft/crypto/tmhash"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"
)

const chainID = "mu-light"

var genesisTime = time.Date(2026, 1, 1, 12, 0, 0, 123456789, time.UTC)

func at(height int64) time.Time { return genesisTime.Add(time.Duration(height) * 7 * time.Second) }

// set is a validator set by the names of its keys.
type set map[string]int64

var keys = map[string]crypto.PrivKey{}

// key gives the key of a name; a name that begins with k is secp256k1's.
func key(name string) crypto.PrivKey {
	if k, ok := keys[name]; ok {
		return k
	}
	if name[0] == 'k' {
		keys[name] = secp256k1.GenPrivKeySecp256k1([]byte(name))
	} else {
		keys[name] = ed25519.GenPrivKeyFromSecret([]byte(name))
	}
	return keys[name]
}

func keyOf(address []byte) (crypto.PrivKey, string) {
	for name, k := range keys {
		if string(k.PubKey().Address()) == string(address) {
			return k, name
		}
	}
	panic("unknown validator")
}

func (s set) validators() *types.ValidatorSet {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	sort.Strings(names)
	list := make([]*types.Validator, len(names))
	for i, name := range names {
		list[i] = types.NewValidator(key(name).PubKey(), s[name])
	}
	return types.NewValidatorSet(list)
}

// even is a set of validators with the same power.
func even(power int64, names ...string) set {
	s := set{}
	for _, name := range names {
		s[name] = power
	}
	return s
}

func names(prefix string, from, to int) []string {
	out := []string{}
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%s%02d", prefix, i))
	}
	return out
}

// spec says how a block is made; what it leaves out has a plain value.
type spec struct {
	height int64
	vals   *types.ValidatorSet
	next   *types.ValidatorSet
	time   time.Time
	last   types.BlockID
	app    []byte
	round  int32
	// flags by the name of a key: absent, nil or (else) for the block
	absent map[string]bool
	nils   map[string]bool
}

func hashOf(label string, height int64) []byte { return tmhash.Sum([]byte(fmt.Sprint(label, height))) }

func (s spec) header() *types.Header {
	if s.time.IsZero() {
		s.time = at(s.height)
	}
	if s.next == nil {
		s.next = s.vals
	}
	if s.app == nil {
		s.app = hashOf("app", s.height)
	}
	if s.last.IsZero() && s.height > 1 {
		s.last = types.BlockID{
			Hash:          hashOf("block", s.height-1),
			PartSetHeader: types.PartSetHeader{Total: 1, Hash: hashOf("parts", s.height-1)},
		}
	}
	return &types.Header{
		Version: cmtversion.Consensus{Block: 11, App: 1}, ChainID: chainID, Height: s.height, Time: s.time,
		LastBlockID: s.last, LastCommitHash: hashOf("commit", s.height), DataHash: hashOf("data", s.height),
		ValidatorsHash: s.vals.Hash(), NextValidatorsHash: s.next.Hash(), ConsensusHash: hashOf("params", 1),
		AppHash: s.app, LastResultsHash: hashOf("results", s.height), EvidenceHash: hashOf("evidence", s.height),
		ProposerAddress: s.vals.Validators[0].Address,
	}
}

func (s spec) block() *types.LightBlock {
	header := s.header()
	return s.sign(header)
}

func blockID(header *types.Header) types.BlockID {
	return types.BlockID{Hash: header.Hash(), PartSetHeader: types.PartSetHeader{Total: 3, Hash: hashOf("parts", header.Height)}}
}

// sign makes the commit of a header, whatever the header says.
func (s spec) sign(header *types.Header) *types.LightBlock {
	id := blockID(header)
	commit := &types.Commit{Height: header.Height, Round: s.round, BlockID: id}
	for i, val := range s.vals.Validators {
		k, name := keyOf(val.Address)
		if s.absent[name] {
			commit.Signatures = append(commit.Signatures, types.NewCommitSigAbsent())
			continue
		}
		flag := types.BlockIDFlagCommit
		if s.nils[name] {
			flag = types.BlockIDFlagNil
		}
		sig := types.CommitSig{
			BlockIDFlag: flag, ValidatorAddress: val.Address,
			Timestamp: header.Time.Add(time.Second + time.Duration(i)*time.Nanosecond),
		}
		commit.Signatures = append(commit.Signatures, sig)
		resign(commit, header.ChainID, i, k)
	}
	return &types.LightBlock{SignedHeader: &types.SignedHeader{Header: header, Commit: commit}, ValidatorSet: s.vals}
}

// resign signs one place of a commit as it is now.
func resign(commit *types.Commit, chain string, i int, k crypto.PrivKey) {
	sig, err := k.Sign(commit.VoteSignBytes(chain, int32(i)))
	check(err)
	commit.Signatures[i].Signature = sig
}

// copyOf is a block of its own, so that a mutation leaves the original as it was.
func copyOf(lb *types.LightBlock) *types.LightBlock {
	header := *lb.Header
	commit := lb.Commit.Clone()
	sigs := make([]types.CommitSig, len(commit.Signatures))
	for i, s := range commit.Signatures {
		s.Signature = append([]byte{}, s.Signature...)
		s.ValidatorAddress = append([]byte{}, s.ValidatorAddress...)
		sigs[i] = s
	}
	fresh := &types.Commit{Height: commit.Height, Round: commit.Round, BlockID: commit.BlockID, Signatures: sigs}
	vals := []*types.Validator{}
	for _, v := range lb.ValidatorSet.Validators {
		vals = append(vals, v.Copy())
	}
	proposer := lb.ValidatorSet.Proposer
	if proposer != nil {
		proposer = proposer.Copy()
	}
	return &types.LightBlock{
		SignedHeader: &types.SignedHeader{Header: &header, Commit: fresh},
		ValidatorSet: rebuilt(vals, proposer),
	}
}

// rebuilt is a set with these validators in this order, as it comes from protobuf.
func rebuilt(vals []*types.Validator, proposer *types.Validator) *types.ValidatorSet {
	raw := &types.ValidatorSet{Validators: vals, Proposer: proposer}
	pb := &cmtproto.ValidatorSet{}
	for _, v := range vals {
		p, err := v.ToProto()
		check(err)
		pb.Validators = append(pb.Validators, p)
	}
	if proposer != nil {
		p, err := proposer.ToProto()
		check(err)
		pb.Proposer = p
		if fresh, err := types.ValidatorSetFromProto(pb); err == nil {
			return fresh
		}
	}
	return raw
}
