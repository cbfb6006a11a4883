/** What CometBFT itself computed: the output of test/vectors/gen. */
import { readFileSync } from 'node:fs';
import { fromHex } from '@mu/lib/bytes';

export const vectors = JSON.parse(readFileSync(new URL('../vectors/cometbft.json', import.meta.url), 'utf8'));

export { fromHex };
