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
  [1, '42519283350e658a80d45bb1154d835d9d1cf2bc65162a740c5bab2db6e5c345'],
  [3, '855b78768abf717a3a90e923bebb6c8a15808b1119ca80fbcb18678de97f4000'],
  [8, '88adea056d6da59c098f6501a4e40080382f3721363d01f29a22497922fc7b45'],
  [10, '46a57944f1575ea12cb0126f8182af39edd68e9b43ad890753f84e1070ef140a'],
  [48, '800e8cbfffa1446716e476d47af4bb0b030171bf19afe44043bd53332cf38df7'],
  [94, '99d17295c9f8a85c1cd4eb4908858266d8a33bd7beff4ca7258f88972eb0a5a2'],
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
