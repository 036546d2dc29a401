using System.CommandLine;
using System.Diagnostics;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Node;
using Oriel.Desktops.Registry;
using Oriel.Desktops.Store;
using Oriel.Linux;
using Oriel.Linux.Children;
using Oriel.Linux.Processes;
using Oriel.Protocol;
using Oriel.Server.Commands.CommandLine;
using Oriel.Server.Configuration;
using Oriel.Server.Instance;

namespace Oriel.Server.Commands;

/// <summary><c>oriel down</c>: ends the server of a data directory and all of its desktops.</summary>
internal static class DownCommand
{
    private const int SigTerm = 15;

    private static readonly TimeSpan ServerDeadline = TimeSpan.FromSeconds(15);

    public static Command Create()
    {
        var data = Values.Data();
        var keeper = new KindOption<string>("--keeper", Kind.File) { Description = "The oriel-keeper program; default: beside this one" };
        var command = new Command("down", "End the server and all desktops") { data, keeper };
        command.SetAction(
            (parsed, cancellation) =>
                RunAsync(new ServeOptions { DataDirectory = parsed.GetValue(data)!, KeeperPath = parsed.GetValue(keeper) }, cancellation)
        );
        return command;
    }

    private static async Task<int> RunAsync(ServeOptions options, CancellationToken cancellationToken)
    {
        var cgroup = CgroupDelegation.FindRoot(
            ServerInstance.Read(options.Layout) is { } server && Directory.Exists($"/proc/{server.Pid}")
                ? $"/proc/{server.Pid}"
                : "/proc/self"
        );
        if (!await StopServerAsync(options, cancellationToken))
        {
            Console.Error.WriteLine($"oriel: the server did not end within {ServerDeadline.TotalSeconds:0} s.");
            return 1;
        }

        // With the server gone and its lock in our hand nobody else touches bundles and records.
        Directory.CreateDirectory(options.Layout.Run, PrivateFile.OwnerOnlyDirectory);
        using var held = ServerLock.TryTake(options.Layout);
        if (held is null)
        {
            Console.Error.WriteLine("oriel: another server has just started here.");
            return 1;
        }

        var clearance = new NodeClearance(
            await StoreAsync(options, cancellationToken),
            new LocalKeeperHost(options.Keeper, TimeProvider.System),
            options.Layout,
            TimeProvider.System
        );
        var ended = await clearance.EndAllAsync(
            DesktopReason.Of(ReasonCodes.Requested, "The server and its desktops were ended (./oriel down)."),
            cancellationToken
        );
        foreach (var (id, problem) in ended.OrderBy(desktop => desktop.Id, StringComparer.Ordinal))
        {
            (problem is null ? Console.Out : Console.Error).WriteLine($"  {id}: {problem ?? "ended"}");
        }

        if (cgroup is not null && ended.All(desktop => desktop.Problem is null))
        {
            CgroupDelegation.TryRemoveLeaf(cgroup);
        }

        Console.WriteLine(
            ended.Count == 0
                ? "No desktop was left."
                : $"{ended.Count(desktop => desktop.Problem is null)} of {ended.Count} desktops ended."
        );
        return ended.All(desktop => desktop.Problem is null) ? 0 : 1;
    }

    /// <summary>Null where no server has ever run, or where its database cannot be used: what runs is ended all the same.</summary>
    private static async Task<DesktopStore?> StoreAsync(ServeOptions options, CancellationToken cancellationToken)
    {
        var database = new DesktopDbContextFactory(options.Layout.Database);
        if (!File.Exists(database.Path))
        {
            return null;
        }

        try
        {
            await database.MigrateAsync(cancellationToken);
            return new DesktopStore(database);
        }
        catch (IOException e)
        {
            Console.Error.WriteLine("oriel: " + e.Message);
            return null;
        }
    }

    private static async Task<bool> StopServerAsync(ServeOptions options, CancellationToken cancellationToken)
    {
        if (ServerInstance.Read(options.Layout) is not { } server || Find(server.Pid) is not { } found)
        {
            return true;
        }

        using var handle = found.Handle;
        using var process = found.Process;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(ServerDeadline);
        Console.WriteLine($"Stopping the server (process {server.Pid})…");
        handle.Signal(SigTerm);
        try
        {
            await process.WaitForExitAsync(limit.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>
    /// The process, if it is one of ours: the number may have gone to another program since. The handle comes first, so that a signal goes
    /// to no other.
    /// </summary>
    private static (ProcessHandle Handle, Process Process)? Find(int pid)
    {
        ProcessHandle? handle = null;
        try
        {
            handle = ProcessHandle.Open(pid);
            if (ProcessTable.CommandLineOf(pid).Contains("oriel", StringComparison.Ordinal))
            {
                return (handle, Process.GetProcessById(pid));
            }
        }
        catch (Exception e) when (e is LinuxException or ArgumentException)
        {
            // It has ended.
        }

        handle?.Dispose();
        return null;
    }
}
