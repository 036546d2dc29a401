using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Json = Oriel.Keeper.Drivers.Firecracker.Api.FirecrackerJsonContext;

namespace Oriel.Keeper.Drivers.Firecracker.Api;

/// <summary>
/// Firecracker's interface, typed: one method for each request that Oriel makes. Each throws <see cref="FirecrackerException"/>, with the
/// VMM's own fault message where it refused. The VMM answers one request after another, so these are not to be called at once.
/// </summary>
/// <param name="explain">Makes of a failed exchange one that says what became of the VMM; null: it stays as it is.</param>
internal sealed class FirecrackerApi(ApiTransport transport, Func<FirecrackerException, Task<FirecrackerException>>? explain = null)
{
    private const int MaxFaultCharacters = 1000;

    /// <summary>The VMM answers configuration in well under a millisecond; a busy host is the measure.</summary>
    public static readonly TimeSpan UsualDeadline = TimeSpan.FromSeconds(5);

    /// <summary>InstanceStart loads kernel and initramfs into the guest's memory.</summary>
    public static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(20);

    public Task<InstanceInfo> DescribeAsync(CancellationToken cancellationToken) =>
        GetAsync("/", Json.Default.InstanceInfo, cancellationToken);

    public async Task<string> VersionAsync(CancellationToken cancellationToken) =>
        (await GetAsync("/version", Json.Default.VersionInfo, cancellationToken)).Version;

    public Task PutLoggerAsync(Logger logger, CancellationToken cancellationToken) =>
        PutAsync("/logger", logger, Json.Default.Logger, cancellationToken);

    public Task PutMetricsAsync(Metrics metrics, CancellationToken cancellationToken) =>
        PutAsync("/metrics", metrics, Json.Default.Metrics, cancellationToken);

    public Task PutMachineConfigurationAsync(MachineConfiguration machine, CancellationToken cancellationToken) =>
        PutAsync("/machine-config", machine, Json.Default.MachineConfiguration, cancellationToken);

    public Task PutCpuConfigAsync(CpuConfig template, CancellationToken cancellationToken) =>
        PutAsync("/cpu-config", template, Json.Default.CpuConfig, cancellationToken);

    public Task PutBootSourceAsync(BootSource source, CancellationToken cancellationToken) =>
        PutAsync("/boot-source", source, Json.Default.BootSource, cancellationToken);

    public Task PutDriveAsync(Drive drive, CancellationToken cancellationToken) =>
        PutAsync($"/drives/{drive.DriveId}", drive, Json.Default.Drive, cancellationToken);

    public Task PutNetworkInterfaceAsync(NetworkInterface network, CancellationToken cancellationToken) =>
        PutAsync($"/network-interfaces/{network.IfaceId}", network, Json.Default.NetworkInterface, cancellationToken);

    public Task PutVsockAsync(Vsock vsock, CancellationToken cancellationToken) =>
        PutAsync("/vsock", vsock, Json.Default.Vsock, cancellationToken);

    public Task PutEntropyAsync(EntropyDevice entropy, CancellationToken cancellationToken) =>
        PutAsync("/entropy", entropy, Json.Default.EntropyDevice, cancellationToken);

    public Task ActAsync(InstanceActionType action, CancellationToken cancellationToken) =>
        SendAsync(
            "PUT",
            "/actions",
            new InstanceAction(action),
            Json.Default.InstanceAction,
            action == InstanceActionType.InstanceStart ? StartDeadline : UsualDeadline,
            cancellationToken
        );

    public Task PatchVmAsync(VmState state, CancellationToken cancellationToken) =>
        SendAsync("PATCH", "/vm", new Vm(state), Json.Default.Vm, UsualDeadline, cancellationToken);

    /// <summary>The machine must be paused.</summary>
    public Task CreateSnapshotAsync(SnapshotCreate snapshot, TimeSpan deadline, CancellationToken cancellationToken) =>
        SendAsync("PUT", "/snapshot/create", snapshot, Json.Default.SnapshotCreate, deadline, cancellationToken);

    /// <summary>Only before anything but logger and metrics is configured. The VMM ends itself when it fails.</summary>
    public Task LoadSnapshotAsync(SnapshotLoad snapshot, CancellationToken cancellationToken) =>
        SendAsync("PUT", "/snapshot/load", snapshot, Json.Default.SnapshotLoad, StartDeadline, cancellationToken);

    private Task PutAsync<T>(string path, T body, JsonTypeInfo<T> type, CancellationToken cancellationToken) =>
        SendAsync("PUT", path, body, type, UsualDeadline, cancellationToken);

    private async Task SendAsync<T>(
        string method,
        string path,
        T body,
        JsonTypeInfo<T> type,
        TimeSpan deadline,
        CancellationToken cancellationToken
    )
    {
        var answer = await ExchangeAsync(method, path, JsonSerializer.SerializeToUtf8Bytes(body, type), deadline, cancellationToken);
        Require(answer, $"{method} {path}");
    }

    private async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        var answer = await ExchangeAsync("GET", path, default, UsualDeadline, cancellationToken);
        Require(answer, $"GET {path}");
        return TryRead(answer.Body.Span, type)
            ?? throw new FirecrackerException(
                FirecrackerFault.BrokenAnswer,
                $"GET {path}",
                $"its answer of {answer.Body.Length} bytes is not what the interface says",
                answer.Status
            );
    }

    private async Task<ApiAnswer> ExchangeAsync(
        string method,
        string path,
        ReadOnlyMemory<byte> body,
        TimeSpan deadline,
        CancellationToken cancellationToken
    )
    {
        try
        {
            return await transport.SendAsync(method, path, body, deadline, cancellationToken);
        }
        catch (FirecrackerException e) when (explain is not null)
        {
            throw await explain(e);
        }
    }

    private static void Require(ApiAnswer answer, string request)
    {
        if (answer.Status is >= 200 and < 300)
        {
            return;
        }

        var fault = TryRead(answer.Body.Span, Json.Default.ApiError)?.FaultMessage is { } message ? Printable(message) : null;
        throw new FirecrackerException(
            FirecrackerFault.Refused,
            request,
            $"{fault ?? $"refused without a fault message ({answer.Body.Length} bytes of something else)"} (status {answer.Status})",
            answer.Status,
            fault
        );
    }

    private static T? TryRead<T>(ReadOnlySpan<byte> body, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(body, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Printable(string text) =>
        string.Create(
            Math.Min(text.Length, MaxFaultCharacters),
            text,
            static (target, source) =>
            {
                for (var i = 0; i < target.Length; i++)
                {
                    target[i] = char.IsControl(source[i]) ? ' ' : source[i];
                }
            }
        );
}
