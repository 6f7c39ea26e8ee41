// The peers are installed only where the benchmark runs: the checks must do without their types.
declare module "effect";
declare module "effection";
declare module "p-limit";
declare module "p-queue";
declare module "piscina";
