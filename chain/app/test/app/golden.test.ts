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
  ['publish prices', '', 66_535],
  ['publish prices', '', 66_601],
  ['publish prices', '', 66_667],
  ['add node', '', 66_240],
  ['add node', '', 66_246],
  ['add node', '', 66_252],
  ['deploy', '', 152_053],
  ['bid of the dear one', '', 132_013],
  ['bid of the cheap one', '', 114_688],
  ['bid from elsewhere', 'market 7', 53_738],
  ['bid after the match', 'market 3', 48_938],
  ['confirmation', '', 113_988],
  ['usage report', '', 114_812],
  ['usage report of a wrong key', 'billing 34', 55_611],
  ['second deploy', '', 125_323],
  ['second bid', '', 118_144],
  ['confirmation', '', 115_827],
  ['confirmation', '', 115_866],
  ['confirmation', '', 115_839],
  ['confirmation', '', 115_866],
  ['cancel', '', 171_501],
  ['second cancel', '', 88_524],
];

/** [height, app hash] at the ends of the story's parts. */
const hashes: readonly (readonly [number, string])[] = [
  [1, '39cfc966c7f5e471ad4dd6e451d687e493cdd9323e825c130ac22f375dcf8d61'],
  [3, '6499a975f210c46b3ef9d08a06d93f026df31065cf4f6035414de43cf592ffeb'],
  [8, '65160266edd21bdcee38240fd1c6adfb31d540756ef85f3daba0f6d60faa1d77'],
  [10, 'ac8a52ac54173eea3de758afdd199aabb4ea214d4fc57517a30cf02fb602ffe3'],
  [48, '2307c5d2b91443d80cb72332ca42b5eb60f47384fa56696d9f44b014f38e9402'],
  [94, '84c60f3663e492bebca2cf77f8ca6b9dfab0322c6bbf7d9fd784003fca448ed2'],
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
