/** Each header that CometBFT's light package accepted or refused gets the same verdict here. */
import { LightError, NotEnoughPowerError } from '../../src/light/errors.ts';
import { AttackError } from '../../src/light/evidence.ts';
import { checkLightBlock } from '../../src/light/light-block.ts';
import {
  type VerifyRules,
  verify,
  verifyAdjacent,
  verifyBackwards,
  verifyNonAdjacent,
} from '../../src/light/verify.ts';
import { checkTrustLevel } from '../../src/light/verify-commit.ts';
import { type Answer, blockAt, type VerifyCase, vectors } from './vectors.ts';

function answerOf(work: () => void): Answer {
  try {
    work();
    return { verdict: 'ok' };
  } catch (error) {
    if (!(error instanceof LightError) || error instanceof AttackError) throw error;
    const power =
      error instanceof NotEnoughPowerError ? { got: error.got.toString(), needed: error.needed.toString() } : {};
    return { verdict: error.kind as Answer['verdict'], ...power };
  }
}

function withoutText({ text: _, ...answer }: Answer): Answer {
  return answer;
}

function rulesOf({ periodNs, driftNs, nowNs, level }: VerifyCase): VerifyRules {
  return {
    trustingPeriodNs: BigInt(periodNs),
    maxClockDriftNs: BigInt(driftNs),
    nowNs: BigInt(nowNs),
    trustLevel: { numerator: BigInt(level[0]), denominator: BigInt(level[1]) },
  };
}

describe('light.Verify', () => {
  test('the vectors hold what they should', () => {
    expect(vectors.verify.length).toBeGreaterThan(300);
    const verdicts = new Set(vectors.verify.map((one) => one.verify.verdict));
    expect([...verdicts].toSorted()).toEqual([
      'expired',
      'invalid_header',
      'ok',
      'untrusted_validators',
      'unverifiable',
    ]);
  });

  test.each(vectors.verify)('$name', (one) => {
    const trusted = blockAt(one.trusted);
    const untrusted = blockAt(one.untrusted);
    const rules = rulesOf(one);
    const said = {
      verify: answerOf(() => verify(trusted, untrusted, rules)),
      adjacent: answerOf(() => verifyAdjacent(trusted, untrusted, rules)),
      nonAdjacent: answerOf(() => verifyNonAdjacent(trusted, untrusted, rules)),
    };
    expect(said).toEqual({
      verify: withoutText(one.verify),
      adjacent: withoutText(one.adjacent),
      nonAdjacent: withoutText(one.nonAdjacent),
    });
  });
});

describe('light.VerifyBackwards', () => {
  test.each(vectors.backwards)('$name', ({ trusted, untrusted, verdict }) => {
    const said = answerOf(() => verifyBackwards(blockAt(untrusted).header, blockAt(trusted).header));
    expect(said.verdict).toBe(verdict);
  });
});

describe('LightBlock.ValidateBasic', () => {
  test.each(vectors.basic)('$name', ({ block, valid }) => {
    const check = () => checkLightBlock(blockAt(block), vectors.chainId);
    if (valid) check();
    else expect(check).toThrow(expect.objectContaining({ kind: 'bad_block', fault: expect.any(String) }));
  });
});

describe('trust level', () => {
  test.each([
    [1n, 3n, true],
    [2n, 3n, true],
    [1n, 1n, true],
    [33n, 100n, false],
    [4n, 3n, false],
    [1n, 0n, false],
    [0n, 1n, false],
  ])('%d/%d', (numerator, denominator, allowed) => {
    const check = () => checkTrustLevel({ numerator, denominator });
    if (allowed) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ kind: 'config', fault: 'trust_level' }));
  });
});
