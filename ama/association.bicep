// Associates one machine with the rule, and with the endpoint from which its agent reads the rule if there is one.
// machines.bicep deploys it into the resource group of the machine.

@description('Resource id of a virtual machine, a scale set, or a machine in Azure Arc, in this resource group.')
param machineId string

@description('Resource id of the rule.')
param ruleId string

@description('Resource id of the configuration endpoint; empty for the public one.')
param configurationEndpointId string = ''

var parts = split(machineId, '/')
var machineType = toLower('${parts[6]}/${parts[7]}')
var machineName = parts[8]
var isMachine = machineType == 'microsoft.compute/virtualmachines'
var isScaleSet = machineType == 'microsoft.compute/virtualmachinescalesets'
var isArc = machineType == 'microsoft.hybridcompute/machines'
var hasEndpoint = !empty(configurationEndpointId)

resource machine 'Microsoft.Compute/virtualMachines@2024-07-01' existing = {
  name: machineName
}

resource scaleSet 'Microsoft.Compute/virtualMachineScaleSets@2024-07-01' existing = {
  name: machineName
}

resource arcMachine 'Microsoft.HybridCompute/machines@2025-01-13' existing = {
  name: machineName
}

resource machineRule 'Microsoft.Insights/dataCollectionRuleAssociations@2024-03-11' = if (isMachine) {
  name: 'procline'
  scope: machine
  properties: {
    description: 'Process records of ${machineName}'
    dataCollectionRuleId: ruleId
  }
}

resource scaleSetRule 'Microsoft.Insights/dataCollectionRuleAssociations@2024-03-11' = if (isScaleSet) {
  name: 'procline'
  scope: scaleSet
  properties: {
    description: 'Process records of ${machineName}'
    dataCollectionRuleId: ruleId
  }
}

resource arcRule 'Microsoft.Insights/dataCollectionRuleAssociations@2024-03-11' = if (isArc) {
  name: 'procline'
  scope: arcMachine
  properties: {
    description: 'Process records of ${machineName}'
    dataCollectionRuleId: ruleId
  }
}

// Azure gives these associations their meaning by their name. A machine has at most one.
resource machineEndpoint 'Microsoft.Insights/dataCollectionRuleAssociations@2024-03-11' = if (isMachine && hasEndpoint) {
  name: 'configurationAccessEndpoint'
  scope: machine
  properties: {
    dataCollectionEndpointId: configurationEndpointId
  }
}

resource scaleSetEndpoint 'Microsoft.Insights/dataCollectionRuleAssociations@2024-03-11' = if (isScaleSet && hasEndpoint) {
  name: 'configurationAccessEndpoint'
  scope: scaleSet
  properties: {
    dataCollectionEndpointId: configurationEndpointId
  }
}

resource arcEndpoint 'Microsoft.Insights/dataCollectionRuleAssociations@2024-03-11' = if (isArc && hasEndpoint) {
  name: 'configurationAccessEndpoint'
  scope: arcMachine
  properties: {
    dataCollectionEndpointId: configurationEndpointId
  }
}
