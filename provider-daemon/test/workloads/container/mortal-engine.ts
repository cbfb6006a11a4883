/** For a daemon that is killed between any two steps at the real engine. */
import { DockerEngine } from '../../../src/workloads/container/docker-engine.ts';
import { type Engine, EngineError } from '../../../src/workloads/container/engine.ts';

/** What changes something at the engine. */
const steps = ['load', 'tag', 'untag', 'create', 'start', 'stop', 'remove'] as const;

/** An engine that serves a daemon until its nth step is done; from then on that daemon is dead to it. */
export function mortal(after: number): { engine: Engine; isDead: () => boolean; done: string[] } {
  const real = new DockerEngine();
  const done: string[] = [];
  const isDead = (): boolean => done.length >= after;
  const engine = new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return async (...parameters: unknown[]) => {
        if (isDead()) throw new EngineError('this daemon was killed');
        const result: unknown = await Reflect.apply(value, target, parameters);
        if ((steps as readonly unknown[]).includes(name)) {
          done.push(String(name));
          if (isDead()) throw new EngineError('this daemon was killed');
        }
        return result;
      };
    },
  }) as Engine;
  return { engine, isDead, done };
}
