/**
 * Golden figures of one story: gas, codes and app hashes as literal values. Whoever changes them changes the state
 * machine: nodes of before and after do not agree on a chain, so the change is a breaking one.
 */
import { expect, test } from '@jest/globals';
import { Market } from './market.ts';
import { tell } from './story.ts';

/** [step, codespace and code where it was refused, gas used] */
const golden: readonly (readonly [string, string, number])[] = [
  ['register', '', 111_039],
  ['register', '', 97_400],
  ['register', '', 97_483],
  ['publish prices', '', 72_403],
  ['publish prices', '', 72_469],
  ['publish prices', '', 72_535],
  ['add node', '', 66_240],
  ['add node', '', 66_246],
  ['add node', '', 66_252],
  ['deploy', '', 152_137],
  ['bid of the dear one', '', 132_013],
  ['bid of the cheap one', '', 114_688],
  ['bid from elsewhere', 'market 7', 53_738],
  ['bid after the match', 'market 3', 48_938],
  ['confirmation', '', 116_992],
  ['usage report', '', 119_066],
  ['usage report of a wrong key', 'billing 34', 55_623],
  ['second deploy', '', 125_407],
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
  [1, 'bfc2736f520cbccbeb5a6cef8cc2b1326bfab071e1bcc0ce393a8f655d61115f'],
  [3, '8003611d883e54a3804b5a8ebd65bc0025db8383c5ef408d7898a4aec233618c'],
  [8, '82b1a757ed58ea142f0a28dd70499ffbe13e44533abfa6b3ab38423f6e78f831'],
  [10, '6259e23ef1a0028791335ee987c8e1f004717669fc55414fe62d7d16a2e94212'],
  [48, '31d32b157107ce7fd96103e57f62565b2a591286504502947af775bcf3c03ab6'],
  [94, '4e90d698de505405b0c4c2fbc18ee9d6346e8548f93f1a1c0cc0165ace1d5f8d'],
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
