#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
    Takes back what install.ps1 has done.

.DESCRIPTION
    Ends the service trc2npy-worker, which finishes what it has in hand, and removes it with its source in the event log, the
    firewall's rule, Defender's exclusions that install.ps1 has made, the log, and the program. It touches no data, and no
    records of a coordinator. Given again it does nothing.

.PARAMETER KeepState
    Keeps the log.

.EXAMPLE
    & "$env:ProgramFiles\trc2npy\uninstall.ps1" -KeepState
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [switch] $KeepState
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$ServiceName = 'trc2npy-worker'
$RuleName = 'trc2npy-coordinator'
$Folder = Join-Path $env:ProgramFiles 'trc2npy'
$Program = Join-Path $Folder 'trc2npy.exe'
$Notes = Join-Path $Folder 'installed.json'
$State = Join-Path $env:ProgramData 'trc2npy'
$Logs = Join-Path $State 'log'
$EventSource = 'HKLM:\SYSTEM\CurrentControlSet\Services\EventLog\Application\trc2npy'

function Remove-WorkerService {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param()
    $service = Get-Service -Name $ServiceName -ErrorAction SilentlyContinue
    if ($null -eq $service -and -not (Test-Path -LiteralPath $EventSource)) {
        return
    }
    if (-not $PSCmdlet.ShouldProcess($ServiceName, 'End and remove the service')) {
        return
    }
    if (Test-Path -LiteralPath $Program) {
        & $Program worker service remove | Out-Host
        if ($LASTEXITCODE -ne 0) {
            throw "the service $ServiceName could not be removed; nothing else was touched"
        }
    }
    else {
        # Its program is gone: Windows' own way.
        if ($null -ne $service) {
            Stop-Service -Name $ServiceName -Force
            & sc.exe delete $ServiceName | Out-Null
            if ($LASTEXITCODE -ne 0) {
                throw "the service $ServiceName could not be removed (sc.exe: $LASTEXITCODE); nothing else was touched"
            }
        }
        Remove-Item -LiteralPath $EventSource -Recurse -ErrorAction SilentlyContinue
    }
    Write-Output "the service $ServiceName is removed"
}

function Remove-Opening {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param()
    if (Get-NetFirewallRule -Name $RuleName -ErrorAction SilentlyContinue) {
        if ($PSCmdlet.ShouldProcess($RuleName, 'Remove the rule of the firewall')) {
            Remove-NetFirewallRule -Name $RuleName
            Write-Output "the coordinator's port is closed"
        }
    }
    if (Test-Path -LiteralPath $Notes) {
        $noted = @((Get-Content -LiteralPath $Notes -Raw | ConvertFrom-Json).Exclusions | Where-Object { $_ })
        foreach ($path in $noted) {
            if ($PSCmdlet.ShouldProcess($path, 'Have Defender look into it again')) {
                Remove-MpPreference -ExclusionPath $path
                Write-Output "Defender looks into $path again"
            }
        }
    }
}

function Remove-IfEmpty {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([string] $Path)
    # Whatever else somebody has put there stays.
    if ((Test-Path -LiteralPath $Path) -and -not (Get-ChildItem -LiteralPath $Path -Force | Select-Object -First 1)) {
        if ($PSCmdlet.ShouldProcess($Path, 'Remove the empty folder')) {
            Remove-Item -LiteralPath $Path
        }
    }
}

function Remove-File {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([System.IO.FileInfo[]] $File)
    foreach ($one in $File) {
        if ($PSCmdlet.ShouldProcess($one.FullName, 'Remove the file')) {
            Remove-Item -LiteralPath $one.FullName -Force
        }
    }
}

Remove-WorkerService
Remove-Opening
if (-not $KeepState -and (Test-Path -LiteralPath $Logs)) {
    $days = @(Get-ChildItem -LiteralPath $Logs -File | Where-Object { $_.Name -match '^worker\.\d{4}-\d\d-\d\d$' })
    Remove-File -File $days
    Remove-IfEmpty -Path $Logs
    Remove-IfEmpty -Path $State
    Write-Output "the log in $Logs is removed"
}
if (Test-Path -LiteralPath $Folder) {
    $own = 'trc2npy.exe', 'trc2npy.exe.before', 'installed.json', 'uninstall.ps1'
    Remove-File -File @(Get-ChildItem -LiteralPath $Folder -File | Where-Object { $own -contains $_.Name })
    Remove-IfEmpty -Path $Folder
    Write-Output "the program in $Folder is removed"
}
