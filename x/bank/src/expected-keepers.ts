/** What the bank needs of other modules. */
import type { Context } from '@mu/framework/context';

/** Accounts and module accounts; addresses are raw bytes where not said otherwise. */
export interface AccountKeeper {
  hasAccount(ctx: Context, address: Uint8Array): boolean;
  /** makes and stores an account where there is none */
  createAccount(ctx: Context, address: Uint8Array): void;
  getAccount(ctx: Context, address: Uint8Array): unknown;
  /** all names, ascending */
  moduleNames(): string[];
  /** @throws Error for a module that has no account */
  moduleAddressBytes(name: string): Uint8Array;
  /** made when it is asked for the first time. @throws Error for a module that has no account */
  getModuleAccount(ctx: Context, name: string): { readonly address: Uint8Array };
  hasPermission(name: string, permission: string): boolean;
}
