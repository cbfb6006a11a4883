package main

import (
	"bytes"
	"math/big"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/crypto/tmhash"
	"github.com/cometbft/cometbft/types"
)

type mutation struct {
	name   string
	change func(lb *types.LightBlock)
}

// again signs a changed header with everybody's key: the header lies, the signatures are real.
func again(lb *types.LightBlock) {
	fresh := spec{height: lb.Height, vals: lb.ValidatorSet, round: lb.Commit.Round}.sign(lb.Header)
	lb.Commit = fresh.Commit
}

func flip(bz []byte) []byte {
	out := append([]byte{}, bz...)
	out[len(out)/2] ^= 0x40
	return out
}

func headerMutations() []mutation {
	fields := []mutation{
		{"app hash", func(lb *types.LightBlock) { lb.AppHash = flip(lb.AppHash) }},
		{"data hash", func(lb *types.LightBlock) { lb.DataHash = flip(lb.DataHash) }},
		{"last commit hash", func(lb *types.LightBlock) { lb.LastCommitHash = flip(lb.LastCommitHash) }},
		{"last results hash", func(lb *types.LightBlock) { lb.LastResultsHash = flip(lb.LastResultsHash) }},
		{"evidence hash", func(lb *types.LightBlock) { lb.EvidenceHash = flip(lb.EvidenceHash) }},
		{"consensus hash", func(lb *types.LightBlock) { lb.ConsensusHash = flip(lb.ConsensusHash) }},
		{"validators hash", func(lb *types.LightBlock) { lb.ValidatorsHash = flip(lb.ValidatorsHash) }},
		{"next validators hash", func(lb *types.LightBlock) { lb.NextValidatorsHash = flip(lb.NextValidatorsHash) }},
		{"proposer", func(lb *types.LightBlock) { lb.ProposerAddress = flip(lb.ProposerAddress) }},
		{"last block id", func(lb *types.LightBlock) { lb.LastBlockID.Hash = flip(lb.LastBlockID.Hash) }},
		{"last block parts", func(lb *types.LightBlock) { lb.LastBlockID.PartSetHeader.Total++ }},
		{"time", func(lb *types.LightBlock) { lb.Time = lb.Time.Add(1) }},
		{"app version", func(lb *types.LightBlock) { lb.Version.App = 77 }},
		{"block protocol", func(lb *types.LightBlock) { lb.Version.Block = 12 }},
		{"chain id", func(lb *types.LightBlock) { lb.ChainID = "other" }},
		{"height", func(lb *types.LightBlock) { lb.Header.Height += 3 }},
		{"height zero", func(lb *types.LightBlock) { lb.Header.Height = 0 }},
		{"height negative", func(lb *types.LightBlock) { lb.Header.Height = -1 }},
		{"no app hash", func(lb *types.LightBlock) { lb.AppHash = nil }},
		{"an app hash of another length", func(lb *types.LightBlock) { lb.AppHash = []byte{1, 2, 3} }},
		{"a short data hash", func(lb *types.LightBlock) { lb.DataHash = lb.DataHash[:31] }},
		{"no data hash", func(lb *types.LightBlock) { lb.DataHash = nil }},
		{"no validators hash", func(lb *types.LightBlock) { lb.ValidatorsHash = nil }},
		{"no next validators hash", func(lb *types.LightBlock) { lb.NextValidatorsHash = nil }},
		{"a short proposer", func(lb *types.LightBlock) { lb.ProposerAddress = lb.ProposerAddress[:19] }},
		{"no last block id", func(lb *types.LightBlock) { lb.LastBlockID = types.BlockID{} }},
		{"a short last block id", func(lb *types.LightBlock) { lb.LastBlockID.Hash = lb.LastBlockID.Hash[:5] }},
		{"a long chain id", func(lb *types.LightBlock) { lb.ChainID = string(bytes.Repeat([]byte{'x'}, 51)) }},
	}
	out := []mutation{}
	for _, m := range fields {
		change := m.change
		out = append(out, mutation{"header: " + m.name, change}, mutation{"signed header: " + m.name, func(lb *types.LightBlock) {
			change(lb)
			again(lb)
		}})
	}
	return out
}

func commitMutations() []mutation {
	sig := func(lb *types.LightBlock, i int) *types.CommitSig { return &lb.Commit.Signatures[i] }
	return []mutation{
		{"commit: height", func(lb *types.LightBlock) { lb.Commit.Height++ }},
		{"commit: round", func(lb *types.LightBlock) { lb.Commit.Round++ }},
		{"commit: negative round", func(lb *types.LightBlock) { lb.Commit.Round = -1 }},
		{"commit: block hash", func(lb *types.LightBlock) { lb.Commit.BlockID.Hash = flip(lb.Commit.BlockID.Hash) }},
		{"commit: parts hash", func(lb *types.LightBlock) {
			lb.Commit.BlockID.PartSetHeader.Hash = flip(lb.Commit.BlockID.PartSetHeader.Hash)
		}},
		{"commit: parts total", func(lb *types.LightBlock) { lb.Commit.BlockID.PartSetHeader.Total++ }},
		{"commit: for no block", func(lb *types.LightBlock) { lb.Commit.BlockID = types.BlockID{} }},
		{"commit: no signatures", func(lb *types.LightBlock) { lb.Commit.Signatures = nil }},
		{"commit: one signature less", func(lb *types.LightBlock) { lb.Commit.Signatures = lb.Commit.Signatures[:3] }},
		{"commit: one signature more", func(lb *types.LightBlock) {
			lb.Commit.Signatures = append(lb.Commit.Signatures, lb.Commit.Signatures[0])
		}},
		{"commit: an absent one more", func(lb *types.LightBlock) {
			lb.Commit.Signatures = append(lb.Commit.Signatures, types.NewCommitSigAbsent())
		}},
		{"commit: signatures swapped", func(lb *types.LightBlock) {
			s := lb.Commit.Signatures
			s[0], s[1] = s[1], s[0]
		}},
		{"commit: addresses swapped", func(lb *types.LightBlock) {
			a, b := sig(lb, 0), sig(lb, 1)
			a.ValidatorAddress, b.ValidatorAddress = b.ValidatorAddress, a.ValidatorAddress
		}},
		{"commit: a signature twice", func(lb *types.LightBlock) { lb.Commit.Signatures[1] = lb.Commit.Signatures[0] }},
		{"commit: last signature twice", func(lb *types.LightBlock) { lb.Commit.Signatures[3] = lb.Commit.Signatures[2] }},
		{"commit: unknown address", func(lb *types.LightBlock) { sig(lb, 0).ValidatorAddress = flip(sig(lb, 0).ValidatorAddress) }},
		{"commit: short address", func(lb *types.LightBlock) { sig(lb, 0).ValidatorAddress = sig(lb, 0).ValidatorAddress[:7] }},
		{"commit: first signature wrong", func(lb *types.LightBlock) { sig(lb, 0).Signature = flip(sig(lb, 0).Signature) }},
		{"commit: second signature wrong", func(lb *types.LightBlock) { sig(lb, 1).Signature = flip(sig(lb, 1).Signature) }},
		{"commit: last signature wrong", func(lb *types.LightBlock) { sig(lb, 3).Signature = flip(sig(lb, 3).Signature) }},
		{"commit: signature empty", func(lb *types.LightBlock) { sig(lb, 0).Signature = nil }},
		{"commit: signature short", func(lb *types.LightBlock) { sig(lb, 0).Signature = sig(lb, 0).Signature[:63] }},
		{"commit: signature long", func(lb *types.LightBlock) { sig(lb, 0).Signature = append(sig(lb, 0).Signature, 0) }},
		{"commit: signature far too long", func(lb *types.LightBlock) {
			sig(lb, 0).Signature = bytes.Repeat([]byte{1}, types.MaxSignatureSize+1)
		}},
		{"commit: signature of another key", func(lb *types.LightBlock) { resign(lb.Commit, chainID, 0, key("stranger")) }},
		{"commit: signature for another chain", func(lb *types.LightBlock) {
			k, _ := keyOf(lb.ValidatorSet.Validators[0].Address)
			resign(lb.Commit, "other", 0, k)
		}},
		{"commit: signature time", func(lb *types.LightBlock) { sig(lb, 0).Timestamp = sig(lb, 0).Timestamp.Add(1) }},
		{"commit: signature from before 1970, signed", func(lb *types.LightBlock) {
			sig(lb, 0).Timestamp = time.Date(1950, 1, 1, 0, 0, 0, 5, time.UTC)
			resignAt(lb, 0)
		}},
		{"commit: flag nil on a vote for the block", func(lb *types.LightBlock) { sig(lb, 0).BlockIDFlag = types.BlockIDFlagNil }},
		{"commit: two flags nil", func(lb *types.LightBlock) {
			sig(lb, 0).BlockIDFlag = types.BlockIDFlagNil
			sig(lb, 1).BlockIDFlag = types.BlockIDFlagNil
		}},
		{"commit: flag absent on a vote", func(lb *types.LightBlock) { sig(lb, 0).BlockIDFlag = types.BlockIDFlagAbsent }},
		{"commit: unknown flag", func(lb *types.LightBlock) { sig(lb, 0).BlockIDFlag = 9 }},
		{"commit: unknown flag zero", func(lb *types.LightBlock) { sig(lb, 0).BlockIDFlag = 0 }},
		{"commit: absent with a time", func(lb *types.LightBlock) {
			lb.Commit.Signatures[3] = types.NewCommitSigAbsent()
			sig(lb, 3).Timestamp = lb.Time
		}},
		{"commit: absent", func(lb *types.LightBlock) { lb.Commit.Signatures[3] = types.NewCommitSigAbsent() }},
		{"commit: two absent and one wrong", func(lb *types.LightBlock) {
			lb.Commit.Signatures[3] = types.NewCommitSigAbsent()
			lb.Commit.Signatures[2] = types.NewCommitSigAbsent()
			sig(lb, 0).Signature = flip(sig(lb, 0).Signature)
		}},
		{"commit: signed round changed and signed again by one", func(lb *types.LightBlock) {
			lb.Commit.Round = 4
			resignAt(lb, 0)
		}},
	}
}

func resignAt(lb *types.LightBlock, i int) {
	k, _ := keyOf(lb.ValidatorSet.Validators[i].Address)
	resign(lb.Commit, chainID, i, k)
}

func validatorMutations() []mutation {
	val := func(lb *types.LightBlock, i int) *types.Validator { return lb.ValidatorSet.Validators[i] }
	return []mutation{
		{"validators: power", func(lb *types.LightBlock) { val(lb, 0).VotingPower++ }},
		{"validators: another set", func(lb *types.LightBlock) { lb.ValidatorSet = even(10, names("w", 0, 4)...).validators() }},
		{"validators: one less", func(lb *types.LightBlock) { lb.ValidatorSet = even(10, names("v", 0, 3)...).validators() }},
		{"validators: another key", func(lb *types.LightBlock) { val(lb, 1).PubKey = key("stranger").PubKey() }},
		{"validators: order", func(lb *types.LightBlock) {
			v := lb.ValidatorSet.Validators
			v[0], v[1] = v[1], v[0]
		}},
		{"validators: addresses swapped", func(lb *types.LightBlock) {
			a, b := val(lb, 0), val(lb, 1)
			a.Address, b.Address = b.Address, a.Address
		}},
		{"validators: priorities", func(lb *types.LightBlock) { val(lb, 0).ProposerPriority += 5 }},
	}
}

func mutations() []mutation {
	return append(append(headerMutations(), commitMutations()...), validatorMutations()...)
}

// order of the group of Ed25519
var ed25519Order, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// keyCases are signatures on which implementations differ: ZIP 215 decides, as CometBFT does.
func keyCases(c *cases) {
	// A point of order 8: with R the neutral element and S zero, the equation holds times the cofactor only.
	small := []byte{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}
	neutral := append([]byte{1}, bytes.Repeat([]byte{0}, 63)...)
	odd := types.NewValidator(ed25519.PubKey(small), 100)
	for _, height := range []int64{2, 3, 4, 5, 6, 7} {
		with := func(sig []byte) *types.LightBlock {
			vals := types.NewValidatorSet([]*types.Validator{odd, types.NewValidator(key("v00").PubKey(), 1)})
			s := spec{height: height, vals: vals}
			header := s.header()
			commit := &types.Commit{Height: height, BlockID: blockID(header), Signatures: []types.CommitSig{
				{BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: odd.Address, Timestamp: header.Time, Signature: sig},
				types.NewCommitSigAbsent(),
			}}
			return &types.LightBlock{SignedHeader: &types.SignedHeader{Header: header, Commit: commit}, ValidatorSet: vals}
		}
		trusted := spec{height: 1, vals: even(1, "v00").validators(), next: with(neutral).ValidatorSet}.block()
		c.add("a key of small order", trusted, with(neutral), rules{})
		nonCanonical := append([]byte{0xee}, bytes.Repeat([]byte{0xff}, 30)...)
		nonCanonical = append(append(nonCanonical, 0x7f), make([]byte, 32)...)
		c.add("a point that is not canonical", trusted, with(nonCanonical), rules{})
	}
	high := func(lb *types.LightBlock) {
		sig := lb.Commit.Signatures[0].Signature
		le := append([]byte{}, sig[32:]...)
		for i := 0; i < 16; i++ {
			le[i], le[31-i] = le[31-i], le[i]
		}
		s := new(big.Int).Add(new(big.Int).SetBytes(le), ed25519Order)
		be := s.FillBytes(make([]byte, 32))
		for i := 0; i < 32; i++ {
			sig[32+i] = be[31-i]
		}
	}
	trusted, untrusted := pair(2)
	high(untrusted)
	c.add("an Ed25519 scalar above the order", trusted, untrusted, rules{})
	vals := set{"k00": 5, "k01": 7, "k02": 9}.validators()
	first := spec{height: 1, vals: vals}.block()
	for i := range vals.Validators {
		second := spec{height: 2, vals: vals}.block()
		sig := second.Commit.Signatures[i].Signature
		n, _ := new(big.Int).SetString("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", 16)
		new(big.Int).Sub(n, new(big.Int).SetBytes(sig[32:])).FillBytes(sig[32:])
		c.add("a secp256k1 signature with a high s", first, second, rules{})
		third := spec{height: 2, vals: vals}.block()
		third.Commit.Signatures[i].Signature = tmhash.Sum([]byte("short"))
		c.add("a secp256k1 signature that is too short", first, third, rules{})
	}
}
