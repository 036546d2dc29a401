using System.Security.Cryptography;
using System.Text;
using Oriel.Agent.Accounts;
using Oriel.Agent.Boot;
using Oriel.Agent.Screens;
using Oriel.Linux.Files;
using Oriel.Linux.Polling;
using Oriel.Linux.Processes;
using Oriel.Protocol;
using Oriel.Screen.X11.Raw;

namespace Oriel.Agent.Session;

/// <summary>
/// The desktop's X server: one process, found ready by the display number that it writes (-displayfd), with a cookie of its own.
/// </summary>
internal sealed class XServer(GuestBoot guest, ChildOutput output)
{
    /// <summary>The largest screen: Xvfb resizes up to the size that it starts with (docs/decisions/0030).</summary>
    private const string StartScreen = "3840x2160x24";

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    /// <exception cref="IOException">It does not start, ends, or is not ready within the deadline.</exception>
    public async Task<(Child Process, XDisplayAddress Address)> StartAsync(
        UserAccount user,
        string runtimeDirectory,
        CancellationToken cancellationToken
    )
    {
        var authority = Path.Combine(runtimeDirectory, "Xauthority");
        using (var directory = DirectoryHandle.Open(runtimeDirectory))
        {
            WriteAuthority(user, directory, "Xauthority");
        }

        var (displayReader, displayWriter) = AsyncDescriptor.CreateReader();
        using var reader = displayReader;
        Child server;
        var (log, _) = output.Open(StepNames.XServer, cancellationToken);
        using (log)
        using (displayWriter)
        {
            var environment = new Dictionary<string, string> { ["PATH"] = "/usr/local/bin:/usr/bin:/bin", ["HOME"] = user.Home };
            server = guest.Reaper.Spawn(
                new SpawnSpec(
                    "Xvfb",
                    [
                        "-displayfd",
                        "3",
                        "-screen",
                        "0",
                        StartScreen,
                        "-auth",
                        authority,
                        "-nolisten",
                        "tcp",
                        "-noreset",
                        "-s",
                        "0",
                        "-dpi",
                        "96",
                        "+extension",
                        "RANDR",
                    ],
                    environment,
                    user.Credentials
                )
                {
                    Stdout = log,
                    Stderr = log,
                    Inherited = [displayWriter],
                }
            );
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(Deadline * guest.Config.TimeScale);
        try
        {
            var number = await ReadNumberAsync(reader, deadline.Token);
            return number is null
                ? throw new IOException($"The X server ended before it was ready: {await server.Exited.WaitAsync(deadline.Token)}.")
                : (server, new XDisplayAddress($":{number}", authority));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            server.KillSession();
            throw new IOException(
                $"The X server (pid {server.Pid}) reported no display number within {(Deadline * guest.Config.TimeScale).TotalSeconds:0} s."
            );
        }
    }

    private static async Task<int?> ReadNumberAsync(AsyncDescriptor reader, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        var buffer = new byte[16];
        while (!text.ToString().Contains('\n') && text.Length < buffer.Length)
        {
            var n = await reader.ReadAsync(buffer, cancellationToken);
            if (n == 0)
            {
                return null;
            }

            text.Append(System.Text.Encoding.ASCII.GetString(buffer, 0, n));
        }

        return int.TryParse(text.ToString().Trim(), out var number) ? number : null;
    }

    /// <summary>Another cookie from now on: the server reads its file again when it is newer, and those connected stay.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void RenewCookie(UserAccount user)
    {
        const string Next = "Xauthority.next";
        using var directory = DirectoryHandle.Open(RuntimeDirectories.Of(user));
        if (directory.TryStatus("Xauthority") is not null)
        {
            WriteAuthority(user, directory, Next);
            directory.Rename(Next, "Xauthority");
        }
    }

    /// <summary>For whatever display number and host name: the server chooses the one, and the other changes.</summary>
    private static void WriteAuthority(UserAccount user, DirectoryHandle directory, string fileName)
    {
        using var file = directory.Create(fileName, 0x180); // 0600
        RandomAccess.Write(file, XAuthority.FormatCookie(display: "", RandomNumberGenerator.GetBytes(16)), 0);
        DirectoryHandle.SetOwnerAndMode(file, user.Uid, user.Gid, 0x180);
    }
}
