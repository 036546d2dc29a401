using System.Diagnostics;
using System.Text.Json;
using Oriel.Linux.Processes;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Keepers;

/// <summary>A keeper did not come up; the message holds what it wrote.</summary>
public sealed class KeeperLaunchException(string message) : Exception(message);

/// <summary>
/// Starts keepers, each in a session and in namespaces of its own, so that they outlive the server. Needs an ordinary user with subordinate
/// ids (subuid(5)) and util-linux; as root it works as well, but the callers do not.
/// </summary>
/// <param name="keeperPath">The oriel-keeper executable.</param>
public sealed class KeeperLauncher(string keeperPath)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const int MaxWords = 2000;

    /// <summary>
    /// Execs the remaining arguments with stdout appended to $1 and, if given, $2 and $3 open as descriptors. Their stderr is read here
    /// until the keeper has begun and sends it to its log as well, so that a full disk does not lose the reason of a failure.
    /// </summary>
    private const string Become = "log=$1; memory=$2; group=$3; shift 3; exec \"$@\" </dev/null >>\"$log\"";
    private static readonly string WithMemory = $" {KeeperSnapshot.SharedMemoryDescriptor}<>\"$memory\"",
        WithCgroup = $" {KeeperLimits.CgroupDescriptor}>\"$group/cgroup.procs\"";

    /// <summary>A keeper answers within tens of milliseconds; the rest is for a busy machine.</summary>
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(20);

    /// <summary>Everything that could speak has ended then, or is being killed.</summary>
    private static readonly TimeSpan WordsDeadline = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(3);

    /// <summary>
    /// Writes the spec into its bundle directory (made if needed, 0700), starts the keeper, and returns as soon as its identity is written
    /// and its socket accepts connections. The guest comes up afterwards, as events on that socket tell.
    /// </summary>
    /// <exception cref="KeeperLaunchException">It ended, or did not answer within 20 s. It is then gone.</exception>
    public async Task<KeeperIdentity> StartAsync(KeeperSpec spec, CancellationToken cancellationToken)
    {
        KeeperPrograms.Require();
        var bundle = new Bundle(spec.Bundle);
        Directory.CreateDirectory(bundle.Path, OwnerOnly | UnixFileMode.UserExecute);
        if (File.Exists(bundle.Identity))
        {
            throw new KeeperLaunchException($"{bundle} is another keeper's already.");
        }

        await WriteSpecAsync(bundle, spec, cancellationToken);
        using var process = Programs.Start(Command(spec, bundle.KeeperLog));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StartDeadline * spec.TimeScale);
        try
        {
            // The file is moved into place when the socket listens already.
            while (!File.Exists(bundle.Identity))
            {
                if (process.HasExited)
                {
                    throw new KeeperLaunchException($"The keeper ended with code {process.ExitCode}: {await WordsOfAsync(process)}");
                }

                await Task.Delay(LookPause, limit.Token);
            }

            return bundle.ReadIdentity() ?? throw new KeeperLaunchException("The keeper's identity vanished.");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            ProcessTree.Kill(process);
            throw new KeeperLaunchException(
                $"The keeper did not answer within {(StartDeadline * spec.TimeScale).TotalSeconds:0} s: {await WordsOfAsync(process)}"
            );
        }
        catch (OperationCanceledException)
        {
            ProcessTree.Kill(process);
            throw;
        }
    }

    /// <summary>
    /// setsid takes it out of the server's session (it does not fork, as a started process leads no group, so the pid stays); unshare's
    /// child, the keeper, is killed when unshare dies, and with the keeper its pid namespace.
    /// </summary>
    private ProcessStartInfo Command(KeeperSpec spec, string log) =>
        new(
            "/bin/sh",
            [
                "-c",
                Become + (spec.Snapshot?.SharedMemory is null ? "" : WithMemory) + (spec.Limits.Cgroup is null ? "" : WithCgroup),
                "sh",
                log,
                spec.Snapshot?.SharedMemory ?? "",
                spec.Limits.Cgroup ?? "",
                "setsid",
                "unshare",
                "--user",
                "--map-root-user",
                "--map-auto",
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "--cgroup",
                "--ipc",
                "--uts",
                "--",
                keeperPath,
                "run",
                spec.Bundle,
            ]
        )
        {
            WorkingDirectory = "/",
            RedirectStandardError = true,
        };

    private static async Task WriteSpecAsync(Bundle bundle, KeeperSpec spec, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(
            bundle.Spec,
            new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = OwnerOnly,
            }
        );
        await JsonSerializer.SerializeAsync(file, spec, KeeperJsonContext.Default.KeeperSpec, cancellationToken);
    }

    private static async Task<string> WordsOfAsync(Process process)
    {
        using var limit = new CancellationTokenSource(WordsDeadline);
        try
        {
            var words = (await process.StandardError.ReadToEndAsync(limit.Token)).Trim();
            return words.Length > MaxWords ? words[..MaxWords] : words;
        }
        catch (OperationCanceledException)
        {
            return "";
        }
    }
}
