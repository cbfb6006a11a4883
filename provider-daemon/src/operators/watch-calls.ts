/** Looks at what calls come to, from outside: what is looked at behaves as before. */

type Method<T, K extends keyof T> = T[K] extends (...given: infer A) => Promise<infer R>
  ? { readonly given: A; readonly result: R }
  : never;

export interface CallWatcher<R> {
  readonly done?: (result: R) => void;
  readonly failed?: (error: unknown) => void;
}

/** Tells how each call of an asynchronous method of this object ends, those that the object makes itself included. */
export function watchCalls<T extends object, K extends keyof T>(
  target: T,
  name: K,
  watcher: CallWatcher<Method<T, K>['result']>,
): void {
  const original = target[name] as (...given: unknown[]) => Promise<Method<T, K>['result']>;
  const watched = async (...given: unknown[]): Promise<Method<T, K>['result']> => {
    try {
      const result = await original.apply(target, given);
      watcher.done?.(result);
      return result;
    } catch (error) {
      watcher.failed?.(error);
      throw error;
    }
  };
  target[name] = watched as T[K];
}
