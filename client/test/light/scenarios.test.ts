/** Whole light clients against the same nodes as CometBFT's: same verdicts, same requests, same evidence. */
import { fromHex } from '@mu/lib/bytes';
import { LightError } from '../../src/light/errors.ts';
import { AttackError } from '../../src/light/evidence.ts';
import { hashOf, hex, nanosOf } from '../../src/light/light-block.ts';
import { LightClient } from '../../src/light/light-client.ts';
import { MemoryTrustedStore } from '../../src/light/trusted-store.ts';
import { ListedSource } from './support.ts';
import { blockAt, type Scenario, vectors } from './vectors.ts';

interface Outcome {
  readonly results: { readonly verdict: string; readonly hash?: string }[];
  attack?: AttackError;
}

async function run(scenario: Scenario, sources: readonly ListedSource[]): Promise<Outcome> {
  const outcome: Outcome = { results: [] };
  const [primary, ...witnesses] = sources as [ListedSource, ...ListedSource[]];
  try {
    const client = await LightClient.create({
      chainId: vectors.chainId,
      root: { kind: 'block', height: BigInt(scenario.root), hash: fromHex(scenario.rootHash.toLowerCase()) },
      primary,
      witnesses,
      store: new MemoryTrustedStore(),
      nowNs: () => BigInt(scenario.nowNs),
      pause: async () => undefined,
      trustingPeriodNs: BigInt(scenario.periodNs),
      maxClockDriftNs: BigInt(scenario.driftNs),
      maxBlockLagMs: 2,
      trustLevel: { numerator: BigInt(scenario.level[0]), denominator: BigInt(scenario.level[1]) },
    });
    outcome.results.push({ verdict: 'ok' });
    for (const step of scenario.steps) {
      const before = client.trusted;
      const block = await (step === 0 ? client.update() : client.at(BigInt(step)));
      // CometBFT's update says nothing where there is nothing new.
      const nothingNew = step === 0 && block === before;
      outcome.results.push({ verdict: 'ok', ...(nothingNew ? {} : { hash: hex(hashOf(block)) }) });
    }
  } catch (error) {
    if (!(error instanceof LightError)) throw error;
    if (error instanceof AttackError) outcome.attack = error;
    outcome.results.push({ verdict: error.kind });
  }
  return outcome;
}

/** CometBFT has no name for a root that does not match. */
const named: Readonly<Record<string, string>> = { trust_mismatch: 'unverifiable' };

/**
 * What a node was asked. CometBFT asks for the target a second time at the end of a way back; the wait for a witness that is
 * behind is cut into looks here.
 */
function asked(requests: readonly number[], { name }: Scenario): readonly number[] {
  const waits = name.includes('behind') || name.includes('future');
  return requests.filter((height, at) => (height === 0 ? !waits : requests.indexOf(height) === at));
}

describe('light.Client', () => {
  test('the vectors hold what they should', () => {
    expect(vectors.scenarios.length).toBeGreaterThan(25);
  });

  test.each(vectors.scenarios)('$name', async (scenario) => {
    const sources = scenario.chains.map((places, index) => new ListedSource(`node ${index}`, places.map(blockAt)));
    const outcome = await run(scenario, sources);
    expect(outcome.results.map((result) => ({ ...result, verdict: named[result.verdict] ?? result.verdict }))).toEqual(
      scenario.results.map(({ verdict, hash }) => ({ verdict, ...(hash === undefined ? {} : { hash }) })),
    );
    for (const [index, { requests }] of sources.entries()) {
      const theirs = scenario.requests[index];
      if (theirs === undefined) throw new Error('the vectors lack the requests of a node');
      if (theirs !== null) expect(asked(requests, scenario)).toEqual(asked(theirs, scenario));
    }
    if (scenario.evidence.length === 0) return;
    const said = outcome.attack?.divergences.map(({ conflicting, evidence }) => ({
      conflicting: hex(hashOf(conflicting)),
      commonHeight: evidence.commonHeight.toString(),
      byzantine: evidence.byzantineValidators.map(({ address }) => hex(address)),
      power: evidence.totalVotingPower.toString(),
      timeNs: nanosOf(evidence.timestamp).toString(),
    }));
    expect(said).toHaveLength(scenario.evidence.length);
    // The vectors list what each node was told, not in which order.
    expect(said).toEqual(expect.arrayContaining([...scenario.evidence]));
  });
});
