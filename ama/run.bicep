// Runs a script on one machine, as root. install.bicep deploys it into the resource group of the machine.

@description('Resource id of a virtual machine, of an instance of a scale set, or of a machine in Azure Arc.')
param machineId string

@description('The script.')
param script string

@description('Region of the machine.')
param location string

@description('When this was deployed: a different value makes the script run again.')
param deployed string

var parts = split(machineId, '/')
var machineType = toLower('${parts[6]}/${parts[7]}')
var machineName = parts[8]
var isMachine = machineType == 'microsoft.compute/virtualmachines'
var isInstance = machineType == 'microsoft.compute/virtualmachinescalesets'
var isArc = machineType == 'microsoft.hybridcompute/machines'
var instance = length(parts) > 10 ? parts[10] : 'none'

resource machine 'Microsoft.Compute/virtualMachines@2024-07-01' existing = {
  name: machineName
}

resource scaleSet 'Microsoft.Compute/virtualMachineScaleSets@2024-07-01' existing = {
  name: machineName
}

resource scaleSetMachine 'Microsoft.Compute/virtualMachineScaleSets/virtualMachines@2024-07-01' existing = {
  parent: scaleSet
  name: instance
}

resource arcMachine 'Microsoft.HybridCompute/machines@2025-01-13' existing = {
  name: machineName
}

resource onMachine 'Microsoft.Compute/virtualMachines/runCommands@2024-07-01' = if (isMachine) {
  parent: machine
  name: 'procline'
  location: location
  properties: {
    source: {
      script: script
    }
    parameters: [
      {
        name: 'deployed'
        value: deployed
      }
    ]
    timeoutInSeconds: 900
    treatFailureAsDeploymentFailure: true
  }
}

resource onInstance 'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommands@2024-07-01' = if (isInstance) {
  parent: scaleSetMachine
  name: 'procline'
  location: location
  properties: {
    source: {
      script: script
    }
    parameters: [
      {
        name: 'deployed'
        value: deployed
      }
    ]
    timeoutInSeconds: 900
    treatFailureAsDeploymentFailure: true
  }
}

// The deployment of this one succeeds even if the script fails: MACHINES.md says how to see its result.
resource onArc 'Microsoft.HybridCompute/machines/runCommands@2025-01-13' = if (isArc) {
  parent: arcMachine
  name: 'procline'
  location: location
  properties: {
    source: {
      script: script
    }
    parameters: [
      {
        name: 'deployed'
        value: deployed
      }
    ]
    timeoutInSeconds: 900
  }
}
