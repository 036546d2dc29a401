using Oriel.Desktops.Node;
using Oriel.Images.Store;

namespace Oriel.Server.Drivers;

/// <summary>Turns <c>--driver</c> into what this host can do, found out by trying.</summary>
internal static class DriverChoice
{
    public const string Auto = "auto";

    /// <summary>In words.</summary>
    public const string Names = $"{Auto}, {Firecracker}, {Qemu} or {Container}";

    private const string Container = "container",
        Qemu = "qemu",
        Firecracker = "firecracker";

    public static bool IsName(string wish) => wish is Auto or Firecracker or Qemu or Container;

    /// <param name="keeper">The oriel-keeper program, which knows its drivers.</param>
    /// <returns>The driver, or why the one that was asked for cannot be had. <c>auto</c> never fails: containers are always left.</returns>
    public static Task<(DesktopDriver? Driver, string? Problem)> ResolveAsync(
        string wish,
        string keeper,
        CancellationToken cancellationToken
    ) => ResolveAsync(wish, new DriverHost(keeper, cancellationToken));

    /// <param name="images">One of their kernels is booted before KVM is taken.</param>
    public static Task<(DesktopDriver? Driver, string? Problem)> ResolveAsync(
        string wish,
        string keeper,
        ImageStore images,
        CancellationToken cancellationToken
    ) =>
        ResolveAsync(
            wish,
            new DriverHost(keeper, cancellationToken)
            {
                Kernel = images
                    .List()
                    .Where(image => image.Disks is not null)
                    .Select(image => Path.Combine(images.DirectoryOf(image.Digest).Disks, image.Disks!.Kernel.Name))
                    .FirstOrDefault(File.Exists),
            }
        );

    internal static async Task<(DesktopDriver? Driver, string? Problem)> ResolveAsync(string wish, DriverHost host)
    {
        switch (wish)
        {
            case Container:
                return (DesktopDriver.Container, null);
            case Qemu:
                return host.QemuProblem() is { } problem
                    ? (null, $"--driver qemu: {problem}")
                    : (DesktopDriver.Qemu(host.QemuProgram!, await host.QemuComesUpOnKvmAsync()), null);
            case Firecracker:
                return await host.FirecrackerProblemAsync() is { } reason
                    ? (null, $"--driver firecracker: {reason}")
                    : (DesktopDriver.Firecracker(host.FirecrackerProgram), null);
            case Auto:
                return (await BestAsync(host), null);
            default:
                return (null, $"There is no driver '{wish}': take {Names}.");
        }
    }

    // Emulation is for whoever asks for it: it is ten times slower. KVM is asked first, as most hosts without it need not be asked more.
    private static async Task<DesktopDriver> BestAsync(DriverHost host)
    {
        if (await host.KvmProblemAsync() is not null)
        {
            return DesktopDriver.Container;
        }

        return await host.FirecrackerProblemAsync() is null ? DesktopDriver.Firecracker(host.FirecrackerProgram)
            : host.QemuProblem() is null && await host.QemuComesUpOnKvmAsync() ? DesktopDriver.Qemu(host.QemuProgram!, kvm: true)
            : DesktopDriver.Container;
    }
}
