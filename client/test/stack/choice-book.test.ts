import { ChoiceBook } from '../../src/stack/choice-book.ts';
import { dec } from './derived.ts';

test('flags win over the config, and each choice says where it is from', () => {
  const book = new ChoiceBook({ flags: { region: 'eu-west' }, config: { region: 'us-east', deposit: 7n } });
  expect([book.of('region'), book.of('deposit'), book.of('maxPrice')]).toEqual(['eu-west', 7n, undefined]);
  expect(book.source('--region', 'region')).toBe('--region');
  expect(book.source('--deposit', 'deposit')).toBe('config');
  expect(book.source('--max-price', 'maxPrice')).toBeUndefined();
});

test('only a flag is a flag', () => {
  const book = new ChoiceBook({ flags: { maxPrice: dec('5') }, config: { deposit: 7n } });
  expect([book.isFlag('maxPrice'), book.isFlag('deposit'), book.isFlag('region')]).toEqual([true, false, false]);
});

test('what was noted is told in its order', () => {
  const book = new ChoiceBook({ flags: {}, config: {} });
  book.note('region', 'eu-west', 'the only region');
  book.note('deposit', '7 umu', 'config');
  expect(book.noted.map(({ what }) => what)).toEqual(['region', 'deposit']);
});
