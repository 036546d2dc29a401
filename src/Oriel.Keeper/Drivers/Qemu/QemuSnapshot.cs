using System.Net.Sockets;
using System.Text.Json;
using Oriel.Keeper.Drivers.Vm;

namespace Oriel.Keeper.Drivers.Qemu;

/// <summary>
/// A machine's state by QEMU's own migration. Where the guest's memory is a snapshot's file already
/// (<c>x-ignore-shared</c>, QEMU 4.0), only the devices' state, some 100 kB, is written; else the memory is in it, without its pages of
/// zeros.
/// </summary>
internal static class QemuSnapshot
{
    /// <summary>QEMU's end of the socket that the state goes out by.</summary>
    private const string OutSocket = "out.sock";

    private const long MostDeviceBytes = 64L << 20;

    private const string IgnoreShared = """{"capabilities":[{"capability":"x-ignore-shared","state":true}]}""";

    /// <summary>Bytes a second: as fast as the file takes them, since the guest is halted meanwhile.</summary>
    private const string Unhindered = """{"max-bandwidth":1000000000000}""";

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(5);

    /// <summary>Stops the guest and writes its state; it stays stopped.</summary>
    /// <param name="memoryBytes">Of the guest, where they are part of the state; else 0.</param>
    /// <exception cref="IOException">QEMU refused, or the state is not whole.</exception>
    public static async Task SaveAsync(QmpClient qmp, string stateFile, long memoryBytes, CancellationToken cancellationToken)
    {
        await qmp.ExecuteAsync("stop", cancellationToken);
        await qmp.ExecuteAsync("migrate-set-capabilities", cancellationToken, IgnoreShared);
        await qmp.ExecuteAsync("migrate-set-parameters", cancellationToken, Unhindered);
        var path = VmDirectory.FromBundle(OutSocket);
        File.Delete(path);
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        // In a directory that nobody but the VMM reaches, and in which it changes no names.
        File.SetUnixFileMode(path, VmDirectory.EveryoneWrites);
        listener.Listen(1);
        await qmp.ExecuteAsync("migrate", cancellationToken, $$"""{"uri":"unix:{{OutSocket}}"}""");
        await using (var stream = new NetworkStream(await listener.AcceptAsync(cancellationToken), ownsSocket: true))
        await using (var file = new FileStream(stateFile, FileMode.CreateNew, FileAccess.Write))
        {
            await CopyAsync(stream, file, MostDeviceBytes + StreamBytes(memoryBytes), cancellationToken);
        }

        await WaitAsync(
            qmp,
            "query-migrate",
            status => status == "completed",
            status => status is "failed" or "cancelled",
            cancellationToken
        );
    }

    /// <summary>
    /// Reads the state into a QEMU that was started with <c>-incoming defer</c> and has it open as <see cref="VmProcess.StateDescriptor"/>,
    /// and lets the guest go on.
    /// </summary>
    /// <exception cref="IOException">QEMU refused it.</exception>
    public static async Task RestoreAsync(QmpClient qmp, CancellationToken cancellationToken)
    {
        await qmp.ExecuteAsync("migrate-set-capabilities", cancellationToken, IgnoreShared);
        // From the file, not through a socket, where QEMU reads 32 KiB at a time.
        await qmp.ExecuteAsync("migrate-incoming", cancellationToken, $$"""{"uri":"fd:{{VmProcess.StateDescriptor}}"}""");
        await WaitAsync(
            qmp,
            "query-status",
            status => status is "paused" or "running",
            status => status is "internal-error" or "shutdown",
            cancellationToken
        );
        await qmp.ExecuteAsync("cont", cancellationToken);
    }

    /// <summary>Each page of 4 KiB with a header of 8 bytes (migration/ram.c, <c>save_page_header</c>).</summary>
    private static long StreamBytes(long memoryBytes) => memoryBytes + (memoryBytes / 256);

    private static async Task CopyAsync(Stream from, Stream to, long mostBytes, CancellationToken cancellationToken)
    {
        var buffer = new byte[256 * 1024];
        long total = 0;
        for (int n; (n = await from.ReadAsync(buffer, cancellationToken)) > 0; )
        {
            total += n;
            if (total > mostBytes)
            {
                throw new IOException($"the machine's state is larger than {mostBytes >> 20} MiB");
            }

            await to.WriteAsync(buffer.AsMemory(0, n), cancellationToken);
        }
    }

    private static async Task WaitAsync(
        QmpClient qmp,
        string query,
        Func<string?, bool> isDone,
        Func<string?, bool> isFailed,
        CancellationToken cancellationToken
    )
    {
        while (true)
        {
            using var answer = JsonDocument.Parse(await qmp.ExecuteAsync(query, cancellationToken));
            var status = answer.RootElement.TryGetProperty("status", out var told) ? told.GetString() : null;
            if (isDone(status))
            {
                return;
            }

            if (isFailed(status))
            {
                throw new IOException(
                    $"{query}: {status}{(answer.RootElement.TryGetProperty("error-desc", out var why) ? ": " + why.GetString() : "")}"
                );
            }

            await Task.Delay(LookAgain, cancellationToken);
        }
    }
}
