// The configuration of the generator of the TypeScript client. Node requires the file extensions.
export default { input: "openapi.json", output: { path: "generated", importFileExtension: ".js" } };
