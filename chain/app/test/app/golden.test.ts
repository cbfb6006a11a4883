/**
 * Golden figures of one story: gas, codes and app hashes as literal values. Whoever changes them changes the state
 * machine: nodes of before and after do not agree on a chain, so the change is a breaking one.
 */
import { expect, test } from '@jest/globals';
import { Market } from './market.ts';
import { tell } from './story.ts';

/** [step, codespace and code where it was refused, gas used] */
const golden: readonly (readonly [string, string, number])[] = [
  ['register', '', 111_123],
  ['register', '', 97_484],
  ['register', '', 97_567],
  ['publish prices', '', 72_445],
  ['publish prices', '', 72_511],
  ['publish prices', '', 72_577],
  ['add node', '', 66_282],
  ['add node', '', 66_288],
  ['add node', '', 66_294],
  ['deploy', '', 152_179],
  ['bid of the dear one', '', 132_013],
  ['bid of the cheap one', '', 114_688],
  ['bid from elsewhere', 'market 7', 53_738],
  ['bid after the match', 'market 3', 48_938],
  ['confirmation', '', 116_992],
  ['usage report', '', 119_108],
  ['usage report of a wrong key', 'billing 34', 55_623],
  ['second deploy', '', 125_449],
  ['second bid', '', 118_144],
  ['confirmation', '', 117_009],
  ['confirmation', '', 117_048],
  ['confirmation', '', 117_021],
  ['confirmation', '', 117_048],
  ['cancel', '', 174_013],
  ['second cancel', '', 88_584],
];

/** [height, app hash] at the ends of the story's parts. */
const hashes: readonly (readonly [number, string])[] = [
  [1, '881965ceab124cc123e20deb106c7011ea2c5d875396e484c6901118c90e699f'],
  [3, '6dfa10e0485241371a3c1faac6b5a3f726f7cbc4b84739779665427c2fc4c225'],
  [8, 'e63170b45052f1a395a2303893419544e890f1d518a9734ba9962e8eaff5fb90'],
  [10, '8f03c926672a307d91b8f856bcaf5fe80c5203d152a94aef9887aad0405d0a73'],
  [48, '6264dad8f97b2923f27f1d3b4025bbd6047a74c08268a3ae46f80e10eab5de97'],
  [94, '14f7f7b72e128aa2244e4fc2932d94537b04a8a95eeae5535fb80c39d01207f7'],
];

test('a story has its golden gas and app hashes', async () => {
  const market = await Market.begin();
  const steps = await tell(market);
  expect(
    steps.map(({ name, result: { code, codespace, gasUsed } }) => [
      name,
      code === 0 ? '' : `${codespace} ${code}`,
      Number(gasUsed),
    ]),
  ).toEqual(golden);
  const { blocks } = market.chain;
  expect(blocks).toHaveLength(94);
  const found = hashes.map(([height]) => [height, blocks[height - 1]?.appHash]);
  expect(found).toEqual(hashes);
});
