/**
 * In-place migrations of the state at an upgrade, as the SDK's module manager runs them (types/module RunMigrations):
 * each module from the version that the state has to the one of this program, one step at a time; a new module begins
 * with its default genesis.
 */
import { compareText } from '@mu/lib/text';
import type { Context } from './context.ts';
import { errLogic, errNotFound } from './errors.ts';
import type { AppModule, Json } from './module.ts';

/** Consensus versions by module name. */
export type VersionMap = ReadonlyMap<string, bigint>;

/** The versions that this program's modules have. */
export function versionsOf(modules: readonly AppModule[]): VersionMap {
  return new Map(modules.map(({ name, consensusVersion }) => [name, consensusVersion]));
}

/**
 * @param from what the state has
 * @param defaults genesis of a module that the state does not know yet
 * @returns what the state has afterwards: the versions of `modules`
 * @throws AbciError not found (38) where a step lacks; nothing may be committed then
 */
export function runMigrations(
  ctx: Context,
  modules: readonly AppModule[],
  from: VersionMap,
  defaults: (module: AppModule) => Json = (module) => module.genesis.defaults(),
): VersionMap {
  for (const module of inOrder(modules)) {
    const version = from.get(module.name);
    if (version === undefined) module.genesis.init(ctx, defaults(module));
    else migrate(ctx, module, version);
  }
  return versionsOf(modules);
}

/** By name, auth last (DefaultMigrationsOrder). */
function inOrder(modules: readonly AppModule[]): AppModule[] {
  const last = (module: AppModule): number => (module.name === 'auth' ? 1 : 0);
  return [...modules].sort((a, b) => last(a) - last(b) || compareText(a.name, b.name));
}

function migrate(ctx: Context, module: AppModule, version: bigint): void {
  const to = module.consensusVersion;
  if (version > to)
    throw errLogic.wrap(`module ${module.name} has version ${version} in the state, this program ${to}`);
  if (to <= 1n || version === to) return;
  if (module.migrations === undefined) throw errNotFound.wrap(`no migrations found for module ${module.name}`);
  for (let at = version; at < to; at += 1n) {
    const step = module.migrations.find((migration) => migration.from === at);
    if (step === undefined) {
      throw errNotFound.wrap(`no migration found for module ${module.name} from version ${at} to version ${at + 1n}`);
    }
    step.run(ctx);
  }
}
