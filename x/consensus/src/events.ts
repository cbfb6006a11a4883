/** The event of a change, with the SDK's attributes. */
import type { FullConsensusParams } from '@mu/framework/consensus-params';
import type { Context } from '@mu/framework/context';
import type { ABCIParams } from 'cosmjs-types/tendermint/types/params';

/** What a message asks for: the extensions' section may be left out. */
export type AskedParams = Omit<FullConsensusParams, 'abci' | 'version'> & { readonly abci: ABCIParams | undefined };

export function emitUpdated(ctx: Context, authority: string, asked: AskedParams): void {
  ctx.events.emit('update_consensus_params', [
    ['authority', authority],
    ['parameters', compactText(asked)],
  ]);
}

/** The parameters as Go prints them (gogoproto CompactTextString): fields of value 0 are left out. */
export function compactText({ block, evidence, validator, abci }: AskedParams): string {
  const { seconds, nanos } = evidence.maxAgeDuration;
  const age = fields([number('seconds', seconds), number('nanos', BigInt(nanos))]);
  const parts = [
    group('block', [number('max_bytes', block.maxBytes), number('max_gas', block.maxGas)]),
    group('evidence', [
      number('max_age_num_blocks', evidence.maxAgeNumBlocks),
      `max_age_duration:<${age}> `,
      number('max_bytes', evidence.maxBytes),
    ]),
    group(
      'validator',
      validator.pubKeyTypes.map((type) => `pub_key_types:${JSON.stringify(type)} `),
    ),
    group('version', []),
  ];
  if (abci !== undefined) {
    parts.push(group('abci', [number('vote_extensions_enable_height', abci.voteExtensionsEnableHeight)]));
  }
  return fields(parts);
}

function fields(parts: readonly string[]): string {
  return parts.join('');
}

function number(name: string, value: bigint): string {
  return value === 0n ? '' : `${name}:${value} `;
}

function group(name: string, parts: readonly string[]): string {
  return `${name}:<${fields(parts)}> `;
}
