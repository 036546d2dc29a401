namespace Oriel.Agent.Exec;

internal static class ExecServices
{
    public static IServiceCollection AddExec(this IServiceCollection services) =>
        services.AddSingleton<CommandRunner>().AddSingleton<CommandStarter>().AddSingleton<ExecService>().AddSingleton<ProcessService>();
}
