/** `mu-provider doctor`: finds what is wrong, and says what to do. */
import { messageOf } from '@mu/lib/error-message';
import type { ProviderConfig } from '../../config/schema.ts';
import { chainCheck, clockCheck, fundsCheck, proofCheck, registrationCheck, trustCheck } from './chain-checks.ts';
import { type Check, type Finding, fail, ok } from './finding.ts';
import { gpuCheck } from './gpu-check.ts';
import {
  daemonCheck,
  engineCheck,
  firewallCheck,
  gatewayPortCheck,
  gatewayUriCheck,
  hostPortCheck,
  hostUriCheck,
  metricsPortCheck,
  planeCheck,
  sandboxCheck,
  volumesCheck,
} from './machine-checks.ts';
import type { Probes } from './probes.ts';
import {
  certificateCheck,
  dataFolderCheck,
  gatewayCertificateCheck,
  identityCheck,
  journalCheck,
  keysCheck,
  openFilesCheck,
  passwordCheck,
} from './setup-checks.ts';

/** In the order in which a person would look: what others rest on comes first. */
export const checks: readonly Check[] = [
  passwordCheck,
  keysCheck,
  identityCheck,
  certificateCheck,
  gatewayCertificateCheck,
  dataFolderCheck,
  journalCheck,
  openFilesCheck,
  chainCheck,
  trustCheck,
  proofCheck,
  clockCheck,
  fundsCheck,
  registrationCheck,
  daemonCheck,
  planeCheck,
  hostPortCheck,
  gatewayPortCheck,
  metricsPortCheck,
  hostUriCheck,
  gatewayUriCheck,
  sandboxCheck,
  engineCheck,
  firewallCheck,
  volumesCheck,
  gpuCheck,
];

export interface Diagnosis {
  /** nothing fails */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

/** All checks that concern this provider, in their order. Never throws. */
export async function diagnose(config: ProviderConfig, probes: Probes): Promise<Diagnosis> {
  const findings: Finding[] = [];
  for (const check of checks) findings.push(...(await findingOf(check, config, probes)));
  return { ok: findings.every(({ result }) => result !== 'fail'), findings };
}

/** Reads the config; what is wrong with it is a finding, and all that can be found then. */
export function configFinding(configOf: () => ProviderConfig): {
  readonly finding: Finding;
  readonly config?: ProviderConfig;
} {
  const name = 'config';
  try {
    return { config: configOf(), finding: { name, ...ok('it can be read, and every setting is known') } };
  } catch (error) {
    const message = messageOf(error);
    return {
      finding: { name, ...fail(message, 'mend it; `mu-provider init` writes one with all settings explained') },
    };
  }
}

/** One finding where the check concerns this provider, else none. */
export async function findingOf({ name, look }: Check, config: ProviderConfig, probes: Probes): Promise<Finding[]> {
  try {
    const verdict = await look(config, probes);
    return verdict === undefined ? [] : [{ name, ...verdict }];
  } catch (error) {
    const reason = messageOf(error);
    return [{ name, ...fail(`cannot be looked at: ${reason}`, 'mend what fails above first') }];
  }
}

/** The findings for people: what fails first, with what to do below. */
export function diagnosisText({ ok: isWell, findings }: Diagnosis): string {
  const order = ['fail', 'warn', 'ok'];
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = [...findings]
    .sort((a, b) => order.indexOf(a.result) - order.indexOf(b.result))
    .flatMap(({ name, result, message, hint }) => [
      `${result.toUpperCase().padEnd(4)}  ${name.padEnd(width)}  ${message}`,
      ...(hint === undefined ? [] : [`      ${' '.repeat(width)}  → ${hint}`]),
    ]);
  return [...lines, isWell ? 'nothing fails' : 'something fails: see above'].join('\n');
}
