import { Query } from '../../src/engine/query/query.ts';
import { vectors } from './vectors.ts';

const [{ events, queries }] = vectors.queries;

describe('event queries as CometBFT reads them', () => {
  for (const { query, error, matches, canonical } of queries) {
    test(JSON.stringify(query), () => {
      if (error !== undefined) {
        // Go names the layout of a time it cannot parse; the place and the reason are the same.
        const text = error.replace(/parsing time .*/s, 'cannot parse');
        expect(() => Query.parse(query)).toThrow(text);
        return;
      }
      expect(Query.parse(query).text).toBe(canonical);
      expect(Query.parse(query).matches(events)).toBe(matches);
    });
  }

  test('nothing matches no events', () => {
    expect(Query.parse('a EXISTS').matches({})).toBe(false);
  });

  test('a year out of range', () => {
    expect(() => Query.parse('a.b = DATE 1800-01-01')).toThrow('datestamp year 1800 out of range');
  });
});
