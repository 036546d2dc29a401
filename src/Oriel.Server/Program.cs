using Oriel.Linux.Processes;
using Oriel.Server.Commands;

// A user's shell on Debian has no sbin folder in its PATH, where nft and mke2fs are.
Programs.AddSystemFolders();
return await OrielCommands.RunAsync(args, Console.Error);
