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
  [1, 'ff6d2a23f13836b862fc1323f48c6e91cf26390b49eda489cfa266be5f6d7e33'],
  [3, '89f8ec90afd49dca318e813f6ef30fd2138d74772a57cc85ba5b6d1295c29d07'],
  [8, '880d056b5c014912fbbc182699bbf92de6247ba89e10dcd291ae113d13acd475'],
  [10, 'cf66fc3f7da1a35df15ab8b6953da57468950b05e331a66c70f90572de7185aa'],
  [48, 'e7898683cbf6dbc1086b57397b076fd4621ae0ddd1f3be764b7f399de175d734'],
  [94, 'ddc5785dd2585763bdf42662467b598d06215e4c3bcbc3ef2bf1be3f9469493e'],
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
