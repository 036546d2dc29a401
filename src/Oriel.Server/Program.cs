using System.CommandLine;
using Oriel.Server.Commands;

var root = new RootCommand("Oriel: disposable Linux desktops in a web page");
root.Subcommands.Add(ServeCommand.Create());
root.Subcommands.Add(TokenCommand.Create());
root.Subcommands.Add(DownCommand.Create());
root.Subcommands.Add(ImageCommand.Create());
root.Subcommands.Add(DoctorCommand.Create());
return await root.Parse(args).InvokeAsync();
