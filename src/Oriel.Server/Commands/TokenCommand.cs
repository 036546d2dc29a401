using System.CommandLine;
using Oriel.Desktops.Store;
using Oriel.Images.Tools;
using Oriel.Protocol.Layout;
using Oriel.Server.Auth;
using Oriel.Server.Commands.CommandLine;
using Oriel.Server.Instance;

namespace Oriel.Server.Commands;

/// <summary><c>oriel token</c>: the API token, another one in its place, or a one-time sign-in URL.</summary>
internal static class TokenCommand
{
    public static Command Create()
    {
        var data = Values.Data();
        var signIn = new KindOption<bool>("--new-signin", Kind.Flag)
        {
            Description = "Print a one-time sign-in URL of the running server instead",
        };
        var rotate = new KindOption<bool>("--rotate", Kind.Flag)
        {
            Description = "Replace the token first; ends all sessions, and what was opened by them or by the old token",
        };
        var command = new Command("token", "Print the API token") { data, rotate, signIn };
        command.SetAction(
            (parsed, cancellation) => RunAsync(parsed.GetValue(data)!, parsed.GetValue(rotate), parsed.GetValue(signIn), cancellation)
        );
        return command;
    }

    private static string Where(string data) =>
        data == DataLayout.DefaultRoot() ? "" : $" --data {(data.Contains(' ') ? $"'{data}'" : data)}";

    private static async Task<int> RunAsync(string data, bool rotate, bool signIn, CancellationToken cancellationToken)
    {
        var layout = new DataLayout(data);
        var path = layout.Token;
        try
        {
            if (!File.Exists(path))
            {
                Console.Error.WriteLine($"oriel: {data} has no token yet: start the server first (./oriel up{Where(data)}).");
                return 1;
            }

            var token = (await File.ReadAllTextAsync(path, cancellationToken)).Trim();
            if (rotate)
            {
                var (replaced, problem) = await TokenRotation.RunAsync(layout, token, cancellationToken);
                if (replaced is null)
                {
                    Console.Error.WriteLine($"oriel: {problem}");
                    return 1;
                }

                token = replaced;
            }

            if (!signIn)
            {
                Console.WriteLine(token);
                return 0;
            }

            if (ServerInstance.Read(layout) is not { } server)
            {
                Console.Error.WriteLine($"oriel: no server runs on {data}: start it first (./oriel up{Where(data)}).");
                return 1;
            }

            var tokens = new TokenService(new DesktopDbContextFactory(layout.Database), layout, TimeProvider.System);
            Console.WriteLine($"{server.Url}/signin#token={await tokens.NewSignInAsync(cancellationToken)}");
            return 0;
        }
        catch (UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"oriel: {path} belongs to another user; run this as the user that runs the server.");
            return 1;
        }
        catch (IOException e)
        {
            Console.Error.WriteLine("oriel: " + e.Message);
            return 1;
        }
    }
}
