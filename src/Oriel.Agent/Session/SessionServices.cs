using Oriel.Agent.Screens;
using Oriel.Agent.Variables;

namespace Oriel.Agent.Session;

internal static class SessionServices
{
    public static IServiceCollection AddDesktopSession(this IServiceCollection services) =>
        services
            .AddSingleton<XDisplay>()
            .AddSingleton<XServer>()
            .AddSingleton<ChildOutput>()
            .AddSingleton<SessionGate>()
            .AddSingleton<SessionEnvironment>()
            .AddSingleton<SessionCleanup>()
            .AddHostedService<DesktopSession>();
}
