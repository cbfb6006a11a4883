/** The vectors of cosmos/iavl (test/vectors/iavl.json), read strictly: what is not understood is an error. */
import { readFileSync } from 'node:fs';
import { fromBase64, fromHex } from '@mu/lib/bytes';
import { z } from 'zod';

const hex = z
  .string()
  .regex(/^([0-9a-f]{2})*$/)
  .transform(fromHex);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
/** `existed`: what the Go tree answered */
const set = z.tuple([z.literal('set'), hex, hex, z.boolean()]);
const remove = z.tuple([z.literal('remove'), hex, z.boolean()]);
const operations = z.array(z.union([set, remove]));
/** key, value of a leaf, version, height */
const node = z.tuple([z.string(), z.string().nullable(), z.number().int(), z.number().int()]);

const version = z.strictObject({
  version: z.number().int(),
  ops: operations,
  discarded: operations.optional(),
  reloaded: z.literal(true).optional(),
  root: hash,
  size: z.number().int(),
  height: z.number().int(),
  shape: z.array(node).optional(),
  proofs: z
    .array(
      z.strictObject({
        key: hex,
        value: hex.nullable(),
        proof: z.string().transform(fromBase64),
        /** whether ics23 in Go accepts it: it knows no empty values and keys */
        verifies: z.boolean(),
      }),
    )
    .optional(),
});

const file = z.strictObject({
  modules: z.strictObject({
    'github.com/cosmos/iavl': z.literal('v1.2.6'),
    'github.com/cosmos/ics23/go': z.literal('v0.11.0'),
    'cosmossdk.io/store': z.literal('v1.1.2'),
  }),
  cases: z.array(z.strictObject({ name: z.string(), initialVersion: z.number().int(), versions: z.array(version) })),
});

export type TreeCase = z.infer<typeof file>['cases'][number];
export type TreeOperation = z.infer<typeof operations>[number];

/** All cases. @throws where the file has anything unknown, or lacks something */
export function treeCases(): TreeCase[] {
  return file.parse(JSON.parse(readFileSync(new URL('../vectors/iavl.json', import.meta.url), 'utf8'))).cases;
}
