package main

import (
	"errors"
	"fmt"
	"time"

	cmtmath "github.com/cometbft/cometbft/libs/math"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/types"
)

const (
	period = 3 * time.Hour
	drift  = 10 * time.Second
)

var third = cmtmath.Fraction{Numerator: 1, Denominator: 3}

// verdict names an error as light's callers tell them apart.
func verdict(err error) object {
	out := object{"verdict": "ok"}
	if err == nil {
		return out
	}
	out["text"] = err.Error()
	var power types.ErrNotEnoughVotingPowerSigned
	if errors.As(err, &power) {
		out["got"], out["needed"] = fmt.Sprint(power.Got), fmt.Sprint(power.Needed)
	}
	switch e := err.(type) {
	case light.ErrOldHeaderExpired:
		out["verdict"] = "expired"
	case light.ErrInvalidHeader:
		out["verdict"] = "invalid_header"
		if errors.As(e.Reason, &power) {
			out["got"], out["needed"] = fmt.Sprint(power.Got), fmt.Sprint(power.Needed)
		}
	case light.ErrNewValSetCantBeTrusted:
		out["verdict"] = "untrusted_validators"
		out["got"], out["needed"] = fmt.Sprint(e.Reason.Got), fmt.Sprint(e.Reason.Needed)
	default:
		out["verdict"] = "unverifiable"
	}
	return out
}

type rules struct {
	period, drift time.Duration
	now           time.Time
	level         cmtmath.Fraction
}

type cases struct {
	blocks *table
	list   []object
}

// add asks all three functions, so that each case says what each of them does with it.
func (c *cases) add(name string, trusted, untrusted *types.LightBlock, r rules) {
	if r.period == 0 {
		r.period = period
	}
	if r.drift == 0 {
		r.drift = drift
	}
	if r.now.IsZero() {
		r.now = at(1000)
	}
	if r.level.Denominator == 0 {
		r.level = third
	}
	t, u := trusted, untrusted
	c.list = append(c.list, object{
		"name": name, "trusted": c.blocks.add(t), "untrusted": c.blocks.add(u),
		"periodNs": fmt.Sprint(r.period.Nanoseconds()), "driftNs": fmt.Sprint(r.drift.Nanoseconds()),
		"nowNs": fmt.Sprint(r.now.UnixNano()),
		"level": []string{fmt.Sprint(r.level.Numerator), fmt.Sprint(r.level.Denominator)},
		"verify": verdict(light.Verify(t.SignedHeader, t.ValidatorSet, u.SignedHeader, u.ValidatorSet,
			r.period, r.now, r.drift, r.level)),
		"adjacent": verdict(light.VerifyAdjacent(t.SignedHeader, u.SignedHeader, u.ValidatorSet,
			r.period, r.now, r.drift)),
		"nonAdjacent": verdict(light.VerifyNonAdjacent(t.SignedHeader, t.ValidatorSet, u.SignedHeader, u.ValidatorSet,
			r.period, r.now, r.drift, r.level)),
	})
}

func verifyCases(blocks *table) []object {
	c := &cases{blocks: blocks}
	plainCases(c)
	ruleCases(c)
	changeCases(c)
	powerCases(c)
	keyCases(c)
	for _, m := range mutations() {
		for _, height := range []int64{2, 9} {
			trusted, untrusted := pair(height)
			changed := copyOf(untrusted)
			m.change(changed)
			c.add(fmt.Sprintf("%s, height %d", m.name, height), trusted, changed, rules{})
		}
	}
	return c.list
}

var base = even(10, names("v", 0, 4)...)

func pair(height int64) (*types.LightBlock, *types.LightBlock) {
	vals := base.validators()
	return spec{height: 1, vals: vals}.block(), spec{height: height, vals: vals}.block()
}

func plainCases(c *cases) {
	for _, height := range []int64{2, 3, 100} {
		trusted, untrusted := pair(height)
		c.add(fmt.Sprintf("valid at %d", height), trusted, untrusted, rules{})
	}
	trusted, later := pair(5)
	c.add("the same height", later, later, rules{})
	c.add("an earlier height", later, trusted, rules{})
	vals := base.validators()
	c.add("a later round", trusted, spec{height: 5, vals: vals, round: 3}.block(), rules{})
	c.add("a round of two varint bytes", trusted, spec{height: 5, vals: vals, round: 300}.block(), rules{})
	one := even(1, "v00").validators()
	c.add("one validator", spec{height: 1, vals: one}.block(), spec{height: 2, vals: one}.block(), rules{})
	c.add("one validator, not adjacent", spec{height: 1, vals: one}.block(), spec{height: 7, vals: one}.block(), rules{})
	many := even(3, names("m", 0, 120)...).validators()
	c.add("120 validators", spec{height: 1, vals: many}.block(), spec{height: 9, vals: many}.block(), rules{})
	whole := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	c.add("times without nanoseconds", spec{height: 1, vals: vals, time: whole}.block(),
		spec{height: 4, vals: vals, time: whole.Add(time.Hour)}.block(), rules{now: whole.Add(2 * time.Hour)})
}

func ruleCases(c *cases) {
	trusted, untrusted := pair(5)
	end := trusted.Time.Add(period)
	c.add("one nanosecond before the trusting period ends", trusted, untrusted, rules{now: end.Add(-1)})
	c.add("the trusting period ends", trusted, untrusted, rules{now: end})
	c.add("after the trusting period", trusted, untrusted, rules{now: end.Add(1)})
	c.add("from the future, at the drift", trusted, untrusted, rules{now: untrusted.Time.Add(-drift)})
	c.add("from the future, a nanosecond within", trusted, untrusted, rules{now: untrusted.Time.Add(-drift + 1)})
	c.add("from the future, far", trusted, untrusted, rules{now: trusted.Time})
	vals := base.validators()
	same := spec{height: 5, vals: vals, time: trusted.Time}.block()
	c.add("the trusted time", trusted, same, rules{})
	c.add("a nanosecond after the trusted time", trusted, spec{height: 5, vals: vals, time: trusted.Time.Add(1)}.block(), rules{})
	c.add("before the trusted time", trusted, spec{height: 5, vals: vals, time: trusted.Time.Add(-1)}.block(), rules{})
	level := func(n, d uint64) rules { return rules{level: cmtmath.Fraction{Numerator: n, Denominator: d}} }
	absent := spec{height: 5, vals: vals, absent: map[string]bool{"v01": true}}.block()
	c.add("trust level 2/3, all signed", trusted, untrusted, level(2, 3))
	c.add("trust level 2/3, three quarters signed", trusted, absent, level(2, 3))
	c.add("trust level 1, all signed", trusted, untrusted, level(1, 1))
	c.add("trust level 3/4, three quarters signed", trusted, absent, level(3, 4))
	c.add("trust level 1/2, three quarters signed", trusted, absent, level(1, 2))
}

func changeCases(c *cases) {
	old := base.validators()
	trusted := spec{height: 1, vals: old}.block()
	add := func(name string, s set) {
		vals := s.validators()
		named := spec{height: 1, vals: old, next: vals}.block()
		c.add("next validators: "+name, named, spec{height: 2, vals: vals}.block(), rules{})
		c.add("later validators: "+name, trusted, spec{height: 6, vals: vals}.block(), rules{})
		c.add("unannounced validators: "+name, trusted, spec{height: 2, vals: vals}.block(), rules{})
	}
	add("one more", even(10, names("v", 0, 5)...))
	add("one less", even(10, names("v", 0, 3)...))
	add("two of four stay", even(10, "v00", "v01", "w00", "w01"))
	add("one of four stays", even(10, "v00", "w00", "w01", "w02"))
	add("nobody stays", even(10, names("w", 0, 4)...))
	add("powers changed", set{"v00": 1, "v01": 2, "v02": 3, "v03": 400})
	add("two stay among many", set{"v00": 1, "v01": 1, "w00": 1000, "w01": 1000, "w02": 1000})
	add("one of four stays with all the power", set{"v00": 1000000, "w00": 1})
}

func powerCases(c *cases) {
	add := func(name string, s set, absent, nils []string) {
		vals := s.validators()
		flags := func(list []string) map[string]bool {
			out := map[string]bool{}
			for _, n := range list {
				out[n] = true
			}
			return out
		}
		for _, height := range []int64{2, 8} {
			untrusted := spec{height: height, vals: vals, absent: flags(absent), nils: flags(nils)}.block()
			c.add(fmt.Sprintf("%s, height %d", name, height), spec{height: 1, vals: vals}.block(), untrusted, rules{})
		}
	}
	three := even(10, "v00", "v01", "v02")
	add("all of three", three, nil, nil)
	add("two of three are not more than two thirds", three, []string{"v02"}, nil)
	add("a nil vote counts nothing", three, nil, []string{"v01"})
	four := even(10, names("v", 0, 4)...)
	add("three of four", four, []string{"v03"}, nil)
	add("three of four and a nil vote", four, nil, []string{"v00"})
	add("two of four", four, []string{"v00"}, []string{"v01"})
	add("one of four", four, []string{"v00", "v02"}, []string{"v01"})
	add("nobody", four, names("v", 0, 4), nil)
	add("67 of 100", set{"v00": 67, "v01": 33}, []string{"v01"}, nil)
	add("66 of 100", set{"v00": 66, "v01": 34}, []string{"v01"}, nil)
	add("66 of 99", set{"v00": 66, "v01": 33}, []string{"v01"}, nil)
	add("the rounding of 2/3 of 7", set{"v00": 5, "v01": 2}, []string{"v01"}, nil)
	add("the rounding of 2/3 of 8", set{"v00": 5, "v01": 3}, []string{"v01"}, nil)
	add("three of four ones", set{"v00": 1, "v01": 1, "v02": 1, "v03": 1}, []string{"v01"}, nil)
	most := types.MaxTotalVotingPower
	add("the greatest total power", set{"v00": most - 10, "v01": 10}, nil, nil)
	add("the greatest total power without its owner", set{"v00": most - 10, "v01": 10}, []string{"v00"}, nil)
	trustedThird := func(name string, s set) {
		c.add("trusted third: "+name, spec{height: 1, vals: even(10, "v00", "v01", "v02").validators()}.block(),
			spec{height: 9, vals: s.validators()}.block(), rules{})
	}
	trustedThird("exactly one", even(10, "v00", "w00", "w01"))
	trustedThird("two", even(10, "v00", "v01", "w01"))
	// Mixed keys are not verified as a batch: the answer to a commit with two faults is another one.
	mixed := set{"v00": 10, "v01": 10, "k00": 10, "v02": 10}
	add("mixed keys", mixed, nil, nil)
	add("mixed keys, one absent", mixed, []string{"k00"}, nil)
	add("mixed keys, two absent", mixed, []string{"k00", "v02"}, nil)
	add("only secp256k1", set{"k00": 5, "k01": 7, "k02": 9}, nil, nil)
}
