/** Tells the story of the market and prints its last app hash: run as a process of its own, with other seeds inside. */
import { Market } from '../app/market.ts';
import { tell } from '../app/story.ts';

const market = await Market.begin();
await tell(market);
process.stdout.write(market.chain.blocks.at(-1)?.appHash ?? '');
