/** Errors of deployments: (codespace `deployment`, code) is consensus, the texts are not. */
import { type ErrorKind, registerError } from '@mu/framework/errors';
import { moduleName } from './keys.ts';

const deployment = (code: number, text: string): ErrorKind => registerError(moduleName, code, text);

export const errNotFound = deployment(2, 'deployment does not exist');
export const errNotActive = deployment(3, 'deployment is not active');
export const errDseq = deployment(4, 'dseq is not above the owner\u2019s last one');
export const errTooMany = deployment(5, 'owner has too many active deployments');
export const errName = deployment(6, 'a name is wrong');
export const errInfrastructure = deployment(7, 'infrastructures are wrong');
export const errRegion = deployment(8, 'unknown region');
export const errServices = deployment(9, 'services are wrong');
export const errAttributes = deployment(10, 'attributes are wrong');
export const errProviders = deployment(11, 'providers are wrong');
export const errResources = deployment(12, 'resources are wrong');
export const errPrice = deployment(13, 'a price is wrong');
export const errCollateral = deployment(14, 'a collateral is wrong');
export const errUsageLimits = deployment(15, 'usage limits are wrong');
export const errExpectedUsage = deployment(16, 'expected usage is wrong');
export const errVersion = deployment(17, 'version is not a hash of 32 bytes');
export const errWaitBlocks = deployment(18, 'wait_blocks is out of bounds');
export const errAccessKeys = deployment(19, 'access keys are wrong');
export const errSealedManifest = deployment(20, 'sealed manifest is wrong');
export const errDeposit = deployment(21, 'the deposit is wrong');
export const errParams = deployment(22, 'parameters are wrong');
